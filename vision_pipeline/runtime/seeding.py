"""Seeds and generators keyed by their purpose, so that a resumed training draws the same numbers on every device."""

import torch

from vision_pipeline.core.fingerprint import derive_seed


def derive_torch_seed(*key: int | str) -> int:
    """Return a seed of 63 bits from a key such as `(seed, "order", epoch)`."""
    return derive_seed(*key) >> 1


def keyed_generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator seeded by `key`."""
    return torch.Generator().manual_seed(derive_torch_seed(*key))
