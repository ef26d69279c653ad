"""A share of a split's rows: stratified by class, the same for every model of a data set and seed."""

import numpy as np

from stages.project.key import keyed_number


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
    order = np.random.default_rng(keyed_number("subset", seed, name)).permutation(len(targets))
    classes = [order[targets[order] == one] for one in np.unique(targets)]
    kept = [rows[: max(1, round(fraction * len(rows)))] for rows in classes]
    return np.sort(np.concatenate(kept)).astype(np.int64)
