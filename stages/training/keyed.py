"""Random numbers keyed by what they are for, so that a resumed training draws the same; and the state of others."""

import hashlib

import torch


def seed_for(*key: int | str) -> int:
    """A 63-bit seed from a key such as `(seed, "order", epoch)`."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*key: int | str) -> torch.Generator:
    """A CPU generator seeded by `key`: the same draws on every device."""
    return torch.Generator().manual_seed(seed_for(*key))


def random_state(device: torch.device) -> torch.Tensor:
    """Of the generator that dropout draws from on a device."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def set_random_state(device: torch.device, state: torch.Tensor) -> None:
    """Go on from a `random_state`."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
