"""A share of the training images: how good is a model that has seen less?"""

import numpy as np
import torch

from stages.training.keyed import generator


def fraction_of(targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The rows that a share of a training split keeps, int64, ascending.

    Of each class it is that share, rounded, and at least one row. Which ones the seed, the class and the number of its
    rows decide alone: all models on a data set get the same, and a smaller share lies within a larger one.

    Args:
        targets: of the split, int64 (N,).
        fraction: above 0, up to 1.
        seed: of params.yaml.
    """
    kept = []
    for label in np.unique(targets):
        rows = np.flatnonzero(targets == label)
        order = torch.randperm(len(rows), generator=generator(seed, "fraction", int(label))).numpy()
        kept.append(rows[order[: max(1, round(fraction * len(rows)))]])
    return np.sort(np.concatenate(kept))
