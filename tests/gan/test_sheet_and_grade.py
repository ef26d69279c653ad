"""The sample sheets, and the grade of images."""

import io

import numpy as np
import pytest
from PIL import Image

from vision_pipeline.gan.grading import classifier_score
from vision_pipeline.gan.sampling import image_grid_png


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_a_row_for_each_class(channels):
    images = np.zeros((6, 4, 4, channels), np.uint8)
    images += np.arange(6, dtype=np.uint8)[:, None, None, None] * 40
    page = np.array(Image.open(io.BytesIO(image_grid_png(images, 2))))
    assert page.shape[:2] == (2 * (2 * 6 + 2), 2 * (3 * 6 + 2))
    middles = page[[8, 20]][:, [8, 20, 32]]
    assert (middles if channels == 1 else middles[:, :, 0]).tolist() == [[0, 40, 80], [120, 160, 200]]


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
