"""Small stand-ins for the public data sets, made on the spot, so that the pipeline always has images to run on.

Every image is drawn from a generator seeded by its row, so the pixels are the same on every run.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from stages.project.console import Refusal, progress
from stages.sources.drawing import Canvas, Colour, Pose, grain, scenery, vary
from stages.sources.faces import cat, dog
from stages.sources.objects import OBJECTS
from stages.sources.parquet import write_rows

Drawn = Iterator[tuple[np.ndarray, int]]
_TEST_EVERY = 6  # every sixth image is for test
_CIFAR10_IMAGES = 1800
_CATS_DOGS_IMAGES = 400
_PNG_LEVEL = 6
_WALLS: list[Colour] = [(176, 160, 140), (120, 140, 160), (130, 150, 110), (190, 186, 176), (110, 96, 90)]


def make_stand_in(name: str, class_names: list[str], into: Path) -> "StandIn":
    """Write the stand-in of a data set as hub-layout Parquet into a folder; returns what it is.

    Raises:
        Refusal: the project has no stand-in for this data set.
    """
    if name not in STAND_INS:
        raise Refusal(f"{name}: there is no stand-in for it; those with one: {', '.join(STAND_INS)}")
    made = STAND_INS[name]
    drawn = list(progress(made.draw(), f"drawing {name}", made.images))
    for split in ("train", "test") if made.has_test else ("train",):
        mine = [row for index, row in enumerate(drawn) if not made.has_test or _split(index) == split]
        rows = ((_png(image), f"{split}-{index:05}.png", label) for index, (image, label) in enumerate(mine))
        written = progress(rows, f"writing {split}", len(mine))
        write_rows(into / f"{split}-00000-of-00001.parquet", written, class_names)
    return made


def _split(index: int) -> str:
    return "test" if index % _TEST_EVERY == _TEST_EVERY - 1 else "train"


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=_PNG_LEVEL)
    return stream.getvalue()


def digits() -> Drawn:
    """scikit-learn's 1,797 handwritten digits (8x8, 0 to 16), enlarged to 20x20 and centred in 28x28 as MNIST's are.

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, 1998 (CC BY 4.0).
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    for image, label in zip(bunch.images, bunch.target, strict=True):
        small = Image.fromarray((image * 255 / 16).round().astype(np.uint8))
        yield np.pad(np.asarray(small.resize((20, 20), Image.Resampling.BICUBIC)), 4), int(label)


def objects() -> Drawn:
    """Ten kinds of objects on varied sceneries, 32x32, colour, with grain; the classes take turns."""
    kinds = list(OBJECTS.values())
    for index in range(_CIFAR10_IMAGES):
        # blocks of ten rows, so that every sixth row meets all classes
        label = (index + index // len(kinds)) % len(kinds)
        rng = np.random.default_rng([10, index])
        draw, sceneries = kinds[label]
        top, bottom = sceneries[rng.integers(len(sceneries))]
        background = scenery(rng, 32, vary(rng, top, 40), vary(rng, bottom, 40), patches=16)
        canvas = Canvas(background, Pose.drawn(rng, 25, (0.5, 0.9), 0.28), finer=4)
        draw(canvas, rng)
        yield grain(rng, canvas.finished(), 12), label


def pets() -> Drawn:
    """Faces of cats and dogs, 224x224, colour, before soft sceneries with coloured blots."""
    for index in range(_CATS_DOGS_IMAGES):
        rng = np.random.default_rng([2, index])
        label = index % 2
        top, bottom = (_WALLS[i] for i in rng.choice(len(_WALLS), 2, replace=False))
        background = scenery(rng, 224, vary(rng, top, 30), vary(rng, bottom, 30), patches=16)
        clutter = Canvas(background, Pose(0, 1, 0, 0, False), finer=1)
        for _ in range(rng.integers(2, 6)):
            x, y, across, along = rng.uniform([-1, -1, 0.1, 0.1], [1, 1, 0.5, 0.5])
            clutter.ellipse(x, y, across, along, vary(rng, _WALLS[rng.integers(len(_WALLS))], 40))
        canvas = Canvas(clutter.finished(), Pose.drawn(rng, 20, (0.5, 0.85), 0.2), finer=2)
        (cat, dog)[label](canvas, rng)
        yield grain(rng, canvas.finished(), 5, cell=4), label


@dataclass(frozen=True)
class StandIn:
    """How a stand-in is made: its images, how many, whether some are for test, and what to say of it."""

    draw: Callable[[], Drawn]
    images: int
    has_test: bool
    licence: str
    note: str


STAND_INS = {
    "mnist": StandIn(
        digits, 1797, True, "CC BY 4.0 (E. Alpaydin, C. Kaynak)", "scikit-learn's 1,797 digits of 8x8 pixels, enlarged"
    ),
    "cifar10": StandIn(objects, _CIFAR10_IMAGES, True, "MIT", "1,800 images drawn by this project"),
    "cats_dogs": StandIn(pets, _CATS_DOGS_IMAGES, False, "MIT", "400 faces of cats and dogs drawn by this project"),
}
