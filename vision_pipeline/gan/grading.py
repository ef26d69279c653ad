"""How well synthetic images show the class that they are meant to be of, as a classifier sees it."""

from typing import Any

import numpy as np


def classifier_score(logits: np.ndarray, targets: np.ndarray, class_names: list[str]) -> dict[str, Any]:
    """The share of images that a classifier takes for their class, and how sure it is of what it takes them for.

    As the "classification accuracy score" of Ravuri and Vinyals, arXiv 1905.10887, the other way round: there the
    classifier learns from made images and is tested on real ones. It tells nothing of how much the images differ.

    Args:
        logits: float (N, classes), of a classifier trained on real images.
        targets: int64 (N,), the classes that were asked for.
        class_names: by target.
    """
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    confidence = (exponentials / exponentials.sum(1, keepdims=True)).max(1)
    correct = logits.argmax(1) == targets
    return {
        "images": len(targets),
        "as_intended": round(float(correct.mean()), 6),
        "confidence": round(float(confidence.mean()), 6),
        "by_class": {
            name: round(float(correct[targets == target].mean()), 6) for target, name in enumerate(class_names)
        },
    }
