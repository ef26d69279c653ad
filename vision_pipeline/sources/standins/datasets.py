"""Make small stand-ins for the public data sets, so that the pipeline always has images to run on.

Every image is drawn from a generator seeded by its row, so the pixels are the same on every run.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.progress import track
from vision_pipeline.sources.hub_parquet import write_hub_parquet
from vision_pipeline.sources.standins.drawing import Canvas, Color, Placement, add_noise, draw_background, jitter_color
from vision_pipeline.sources.standins.objects import OBJECTS, draw_cat, draw_dog

LabeledImages = Iterator[tuple[np.ndarray, int]]
_TEST_EVERY = 6  # every sixth image is for test
_CIFAR10_IMAGES = 1800
_CATS_DOGS_IMAGES = 400
_PNG_LEVEL = 6
_WALL_COLORS: list[Color] = [(176, 160, 140), (120, 140, 160), (130, 150, 110), (190, 186, 176), (110, 96, 90)]


def make_stand_in(name: str, class_names: list[str], target_dir: Path) -> "StandIn":
    """Write the stand-in of a data set as hub-layout Parquet into a folder, and return its description.

    Raises:
        DataError: the project has no stand-in for this data set.
    """
    if name not in STAND_INS:
        raise DataError(f"{name}: there is no stand-in for it; those with one: {', '.join(STAND_INS)}")
    stand_in = STAND_INS[name]
    examples = list(track(stand_in.iter_images(), f"drawing {name}", stand_in.num_images))
    for split in ("train", "test") if stand_in.has_test else ("train",):
        split_examples = [
            row for index, row in enumerate(examples) if not stand_in.has_test or _assign_split(index) == split
        ]
        rows = (
            (_encode_png(image), f"{split}-{index:05}.png", label)
            for index, (image, label) in enumerate(split_examples)
        )
        tracked_rows = track(rows, f"writing {split}", len(split_examples))
        write_hub_parquet(target_dir / f"{split}-00000-of-00001.parquet", tracked_rows, class_names)
    return stand_in


def _assign_split(index: int) -> str:
    return "test" if index % _TEST_EVERY == _TEST_EVERY - 1 else "train"


def _encode_png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=_PNG_LEVEL)
    return stream.getvalue()


def iter_digits() -> LabeledImages:
    """Yield scikit-learn's 1,797 handwritten digits (8x8, 0 to 16), enlarged to 20x20, centred in 28x28.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998 (CC BY 4.0).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for image, label in zip(bunch.images, bunch.target, strict=True):
        small = Image.fromarray((image * 255 / 16).round().astype(np.uint8))
        yield np.pad(np.asarray(small.resize((20, 20), Image.Resampling.BICUBIC)), 4), int(label)


def iter_objects() -> LabeledImages:
    """Yield ten kinds of objects on varied backgrounds, 32x32, colour, with noise; the classes take turns."""
    object_types = list(OBJECTS.values())
    for index in range(_CIFAR10_IMAGES):
        # blocks of ten rows, so that every sixth row meets all classes
        label = (index + index // len(object_types)) % len(object_types)
        rng = np.random.default_rng([10, index])
        draw_object, palettes = object_types[label]
        top, bottom = palettes[rng.integers(len(palettes))]
        background = draw_background(
            rng, 32, top=jitter_color(rng, top, 40), bottom=jitter_color(rng, bottom, 40), patch_std=16
        )
        canvas = Canvas(background, Placement.random(rng, 25, (0.5, 0.9), 0.28), supersampling=4)
        draw_object(canvas, rng)
        yield add_noise(rng, canvas.render(), 12), label


def iter_pets() -> LabeledImages:
    """Yield faces of cats and dogs, 224x224, colour, on soft backgrounds with coloured blots."""
    for index in range(_CATS_DOGS_IMAGES):
        rng = np.random.default_rng([2, index])
        label = index % 2
        top, bottom = (_WALL_COLORS[i] for i in rng.choice(len(_WALL_COLORS), 2, replace=False))
        background = draw_background(
            rng, 224, top=jitter_color(rng, top, 30), bottom=jitter_color(rng, bottom, 30), patch_std=16
        )
        clutter = Canvas(background, Placement(0, 1, 0, 0, False), supersampling=1)
        for _ in range(rng.integers(2, 6)):
            x, y, radius_x, radius_y = rng.uniform([-1, -1, 0.1, 0.1], [1, 1, 0.5, 0.5])
            clutter.draw_ellipse(
                x, y, radius_x, radius_y, jitter_color(rng, _WALL_COLORS[rng.integers(len(_WALL_COLORS))], 40)
            )
        canvas = Canvas(clutter.render(), Placement.random(rng, 20, (0.5, 0.85), 0.2), supersampling=2)
        (draw_cat, draw_dog)[label](canvas, rng)
        yield add_noise(rng, canvas.render(), 5, cell=4), label


@dataclass(frozen=True)
class StandIn:
    """The images of a stand-in, their number, whether it has a test split, its licence and a note."""

    iter_images: Callable[[], LabeledImages]
    num_images: int
    has_test: bool
    licence: str
    note: str


STAND_INS = {
    "mnist": StandIn(
        iter_digits,
        1797,
        True,
        "CC BY 4.0 (E. Alpaydin, C. Kaynak)",
        "scikit-learn's 1,797 digits of 8x8 pixels, enlarged",
    ),
    "cifar10": StandIn(iter_objects, _CIFAR10_IMAGES, True, "MIT", "1,800 images drawn by this project"),
    "cats_dogs": StandIn(
        iter_pets, _CATS_DOGS_IMAGES, False, "MIT", "400 faces of cats and dogs drawn by this project"
    ),
}
