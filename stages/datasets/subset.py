"""A share of a split's rows: stratified by class, the same for every model of a data set and seed."""

import hashlib

import numpy as np


def subset(targets: np.ndarray, fraction: float, seed: int, name: str) -> np.ndarray:
    """Rows of a random part of each class; a smaller fraction's rows are among a larger one's.

    Args:
        targets: int64 (N,).
        fraction: share of each class's rows, above 0 to 1; at least one is kept.
        seed: `seed` of params.yaml.
        name: of the data set; with the seed it is the key of the choice.

    Returns:
        int64 (n,), rising.
    """
    key = hashlib.sha256(f"subset/{seed}/{name}".encode()).digest()
    order = np.random.default_rng(int.from_bytes(key[:8], "big")).permutation(len(targets))
    classes = [order[targets[order] == one] for one in np.unique(targets)]
    kept = [rows[: max(1, round(fraction * len(rows)))] for rows in classes]
    return np.sort(np.concatenate(kept)).astype(np.int64)
