"""The images that `vision predict` is asked about: files, folders, or a draw from a test set."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.datasets.decode import Unreadable, eight_bits, fit, range_bits, read_exact
from stages.datasets.format import open_set
from stages.project.console import Refusal, warn
from stages.sources.image_files import SUFFIXES, LeftOut, files_below, only_images, unread_format


@dataclass(frozen=True)
class Asked:
    """One image.

    Attributes:
        name: its path, or its name in the data set.
        pixels: uint8 (H, W, C) as the model takes them; None where it cannot be read.
        truth: its class, where that is known.
        error: why it cannot be read.
    """

    name: str
    pixels: np.ndarray | None
    truth: str | None = None
    error: str | None = None


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files at `paths`, in order; a folder stands for all images in and below it, by name.

    Raises:
        Refusal: a path does not exist, or a folder holds no images.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise Refusal(f"{path} does not exist")
        files += _images_below(path) if path.is_dir() else [path]
    return files


def _images_below(folder: Path) -> list[Path]:
    """Return the images that a training would take from a folder; warn of those in formats that are not read."""
    left = LeftOut()
    files = only_images(files_below(folder, left), left)
    unread = list(LeftOut(unread=left.unread).lines(folder))
    if not files:
        raise Refusal("; ".join([f"{folder} holds no images ({', '.join(sorted(SUFFIXES))})", *unread]))
    for line in unread:
        warn(line)
    return files


def read(files: Sequence[Path], shape: Sequence[int], class_names: Sequence[str], bits: int | None) -> Iterator[Asked]:
    """Each file decoded and fitted as `prepare` does it; a file in a folder named like a class has that truth.

    Args:
        files: encoded images.
        shape: [height, width, channels] that the model takes.
        class_names: of the model.
        bits: of the range that grey images of 16 bits use in the model's data set; None where that has none.
    """
    for file in files:
        truth = file.absolute().parent.name
        known = truth if truth in class_names else None
        try:
            yield Asked(str(file), fit(_pixels(file, bits), shape[0], shape[2]), known)
        except Unreadable as error:
            yield Asked(str(file), None, known, unread_format(file) or str(error))


def _pixels(file: Path, bits: int | None) -> np.ndarray:
    """Return a file's pixels, uint8; of a kind that the model has not learnt from, with a warning."""
    exact = read_exact(file)
    if exact.dtype == np.uint16 and bits is None:
        bits = range_bits(int(exact.max()))
        warn(
            f"{file} has 16 bits a pixel, and the model learnt from images of 8: its {bits} bits are scaled to 8, so "
            "it is as bright as its own largest value makes it"
        )
    return eight_bits(exact, bits)


def draw(folder: Path, count: int, seed: int, shape: list[int], class_names: list[str]) -> Iterator[Asked]:
    """`count` images of a prepared test set, each at most once; the same seed gives the same images.

    Raises:
        Refusal: the set is missing, too small, or not one that the model could have been trained on.
    """
    prepared = open_set(folder)
    if (prepared.about.shape, prepared.about.class_names) != (shape, class_names):
        raise Refusal(f"{folder} has other images or classes than the model was trained on; run `dvc repro`")
    inputs, targets = prepared.inputs("test"), prepared.targets("test")
    if count > len(inputs):
        raise Refusal(f"--random is {count}, but the test set in {folder} has {len(inputs)} images")
    with (folder / "test" / "rows.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    for row in np.random.default_rng(seed).choice(len(inputs), count, replace=False):
        yield Asked(names[row], np.array(inputs[row]), class_names[targets[row]])
