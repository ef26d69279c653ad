"""Images for a trained model: files, folders, or a sample of a test set."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vision_pipeline.core.errors import DataError, UserError
from vision_pipeline.core.limits import IMAGE_SUFFIXES
from vision_pipeline.core.logging import logger
from vision_pipeline.data.decode import ImageDecodeError, get_range_bits, read_image_exact, resize_center_crop, to_uint8
from vision_pipeline.data.format import open_dataset
from vision_pipeline.sources.image_files import (
    UnusedFiles,
    explain_unsupported,
    list_files,
    select_images,
)


@dataclass(frozen=True)
class InputImage:
    """An image in the size and channels of a model's input.

    Attributes:
        name: its path, or its name in the data set.
        pixels: uint8 (H, W, C); None where it cannot be read.
        truth: its true class, or None.
        error: the reason why it cannot be read.
    """

    name: str
    pixels: np.ndarray | None
    truth: str | None = None
    error: str | None = None


def expand_paths(paths: Sequence[Path]) -> list[Path]:
    """Return the files at `paths`, in order; a folder is replaced by all images in and below it, by name.

    Raises:
        DataError: a path does not exist, or a folder holds no images.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist")
        files += _find_images(path) if path.is_dir() else [path]
    return files


def _find_images(folder: Path) -> list[Path]:
    """Return the images that a training would take from a folder; warn of files in unsupported formats."""
    left_out = UnusedFiles()
    files = select_images(list_files(folder, left_out), left_out)
    unread = list(UnusedFiles(unsupported=left_out.unsupported).iter_lines(folder))
    if not files:
        raise DataError("; ".join([f"{folder} holds no images ({', '.join(sorted(IMAGE_SUFFIXES))})", *unread]))
    for line in unread:
        logger.warning(line)
    return files


def read_input_images(
    files: Sequence[Path], shape: Sequence[int], class_names: Sequence[str], bits: int | None
) -> Iterator[InputImage]:
    """Yield each file, decoded and resized as the stage `prepare` does it.

    Args:
        files: encoded images; the folder of an image is its true class, where it is named like one.
        shape: [height, width, channels] of the model's input.
        class_names: the model's classes.
        bits: bits of the range that grey images of 16 bits use in the model's data set; None where it has none.
    """
    for file in files:
        folder_name = file.absolute().parent.name
        truth = folder_name if folder_name in class_names else None
        try:
            yield InputImage(str(file), resize_center_crop(_read_pixels(file, bits), shape[0], shape[2]), truth)
        except ImageDecodeError as error:
            yield InputImage(str(file), None, truth, explain_unsupported(file) or str(error))


def _read_pixels(file: Path, bits: int | None) -> np.ndarray:
    """Return a file's pixels, uint8; warn where they have 16 bits and the model's data set has none of these."""
    exact = read_image_exact(file)
    if exact.dtype == np.uint16 and bits is None:
        bits = get_range_bits(int(exact.max()))
        logger.warning(
            f"{file} has 16 bits a pixel, and the model learnt from images of 8: its {bits} bits are scaled to 8, so "
            "it is as bright as its own largest value makes it"
        )
    return to_uint8(exact, bits)


def sample_test_images(
    folder: Path, count: int, *, seed: int, shape: list[int], class_names: list[str]
) -> Iterator[InputImage]:
    """Yield `count` images of a prepared test set, drawn without replacement; equal seeds draw the same images.

    Args:
        folder: the prepared data set.
        count: how many images to draw.
        seed: seed of the draw.
        shape: [height, width, channels] of the model's input.
        class_names: the model's classes.

    Raises:
        DataError: the set is missing, or has other images or classes than the model was trained on.
        UserError: the set has fewer images.
    """
    prepared = open_dataset(folder)
    if (prepared.info.shape, prepared.info.class_names) != (shape, class_names):
        raise DataError(f"{folder} has other images or classes than the model was trained on; run `dvc repro`")
    inputs, targets = prepared.inputs("test"), prepared.targets("test")
    if count > len(inputs):
        raise UserError(f"--random is {count}, but the test set in {folder} has {len(inputs)} images")
    with (folder / "test" / "rows.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    for row in np.random.default_rng(seed).choice(len(inputs), count, replace=False):
        yield InputImage(names[row], np.array(inputs[row]), class_names[targets[row]])
