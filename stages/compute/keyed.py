"""Random numbers keyed by what they are for, so that a resumed training draws the same, on every device."""

import torch

from stages.project.key import keyed_number


def seed_for(*key: int | str) -> int:
    """A seed of 63 bits from a key such as `(seed, "order", epoch)`."""
    return keyed_number(*key) >> 1


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator seeded by `key`."""
    return torch.Generator().manual_seed(seed_for(*key))
