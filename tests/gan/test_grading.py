"""The grade of synthetic images."""

import numpy as np

from vision_pipeline.gan.grading import classifier_score


def test_a_grade_is_the_share_taken_for_what_was_asked_for():
    sure, unsure = 100.0, np.log(3)
    logits = np.array([[sure, 0], [0, unsure], [0, sure], [unsure, 0]])
    assert classifier_score(logits, np.array([0, 0, 1, 1]), ["cat", "dog"]) == {
        "images": 4,
        "as_intended": 0.5,
        "confidence": 0.875,
        "by_class": {"cat": 0.5, "dog": 0.5},
    }
    assert classifier_score(logits, np.array([0, 1, 1, 1]), ["cat", "dog"])["by_class"] == {"cat": 1.0, "dog": 0.666667}
