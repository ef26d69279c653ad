"""Random numbers keyed by what they are for, so that a resumed training draws the same ones."""

import hashlib

import torch


def seed_for(*key: int | str) -> int:
    """A 63-bit seed from a key such as `(seed, "order", epoch)`."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator seeded by `key`: the same draws on every device."""
    return torch.Generator().manual_seed(seed_for(*key))
