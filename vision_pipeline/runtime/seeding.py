"""Seeds and generators keyed by their purpose, so that a resumed training draws the same numbers on every device."""

import torch

from vision_pipeline.core.fingerprint import derive_seed


def derive_torch_seed(*key: int | str) -> int:
    """Return a seed of 63 bits from a key such as `(seed, "order", epoch)`."""
    return derive_seed(*key) >> 1


def keyed_generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator seeded by `key`."""
    return torch.Generator().manual_seed(derive_torch_seed(*key))


def augmentation_generator(*key: int | str) -> torch.Generator:
    """Return a CPU generator of the numbers that augment a batch, seeded by the text `augmentation/...` of a key.

    It takes all 64 bits of the hash. torch's CPU generator, mt19937, uses the lower 32 bits of a seed, so that
    `keyed_generator`, which drops the lowest bit, would draw other numbers.
    """
    return torch.Generator().manual_seed(derive_seed("augmentation", *key))
