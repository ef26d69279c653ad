"""The grade of synthetic images: how well a classifier recognises the class of each."""

from typing import Any

import numpy as np
from scipy.special import softmax


def classifier_score(logits: np.ndarray, targets: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """Return the share of images that a classifier assigns to their class, and its mean confidence.

    This is the "classification accuracy score" of Ravuri and Vinyals, arXiv 1905.10887, the other way round: there the
    classifier learns from fake images and is tested on real ones. It does not measure how much the images differ.

    Args:
        logits: float (N, classes), logits of a classifier trained on real images.
        targets: int64 (N,), the requested classes.
        class_names: names of the classes, by target.

    Returns:
        The entries of `grade.json`: number of images, shares from 0 to 1 rounded to six digits, also by class.
    """
    confidence = softmax(logits, axis=1).max(1)
    correct = logits.argmax(1) == targets
    return {
        "images": len(targets),
        "as_intended": round(float(correct.mean()), 6),
        "confidence": round(float(confidence.mean()), 6),
        "by_class": {
            name: round(float(correct[targets == target].mean()), 6) for target, name in enumerate(class_names)
        },
    }
