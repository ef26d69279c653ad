"""Sample sheets: some images of each class in a grid, every pixel as it is."""

import io

import numpy as np
from PIL import Image

_GAP = 2  # pixels between images
_GREY = 128
_ENLARGED = 2


def sheet(images: np.ndarray, classes: int) -> bytes:
    """A PNG of images, a row for each class.

    Args:
        images: uint8 (N, H, W, C), as many of each class, one class after the other.
        classes: how many.
    """
    count, height, width, channels = images.shape
    across = count // classes
    page = np.full((classes * (height + _GAP) + _GAP, across * (width + _GAP) + _GAP, channels), _GREY, np.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, across)
        top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        page[top : top + height, left : left + width] = image
    enlarged = page.repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)
    content = io.BytesIO()
    Image.fromarray(enlarged.squeeze(2) if channels == 1 else enlarged).save(content, format="png")
    return content.getvalue()
