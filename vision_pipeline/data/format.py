"""The prepared format: one on-disk layout for everything that a model can learn from.

A data set is a folder with `dataset.json` and, for each of `train`, `val` and `test`, `inputs.npy` and `targets.npy`:

    images    inputs uint8 (N, height, width, channels)
    features  inputs float16 (N, dimensions); train may hold several views, one after the other
    text      inputs unsigned (N,), one symbol after the other, as indices into `class_names`, its vocabulary
    sequences inputs unsigned (N, length), likewise

`targets.npy` is int64 (N,), indices into `class_names`; in a text each target is the next symbol. The arrays are
memory-mapped, so a data set larger than memory can be used.
"""

import hashlib
import io
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np

from vision_pipeline.core.errors import DataError, UserError
from vision_pipeline.core.files import read_json, sha256_file, write_bytes, write_json

Split = Literal["train", "val", "test"]
DataKind = Literal["images", "features", "text", "sequences"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class DatasetInfo:
    """The content of `dataset.json`.

    Attributes:
        kind: "images", "features", "text" or "sequences".
        shape: shape of one input: [height, width, channels], [dimensions], [] for a text's symbol, or [length].
        class_names: names by target index; the symbols of a text or of sequences.
        mean, std: one value per channel of train's inputs, for images on the scale 0 to 1; empty for symbols.
        counts: number of rows by split, then by class name.
        provenance: origin of the raw data: `name`, `status` (official, variant or stand-in), `source`,
            `digest` and `licence`. A text adds `not_held_out` (the splits that are the training text itself), features
            add `backbone` (its name and the provenance of its weights), augmented copies add `augmentation` (their
            `policy`, the number of `views`, and their `style` or None). Where some of the images are grey with 16
            bits, `grey_bits` holds the bits of the range that they use, which became 0 to 255.
        digest: SHA-256 over the arrays of all splits, in hexadecimal.
    """

    kind: DataKind
    shape: list[int]
    class_names: list[str]
    mean: list[float]
    std: list[float]
    counts: dict[str, dict[str, int]]
    provenance: dict[str, Any]
    digest: str

    @property
    def item_name(self) -> str:
        """The word for its rows: images, features, sequences, or symbols of a text."""
        return "symbols" if self.kind == "text" else self.kind


@dataclass(frozen=True)
class PreparedDataset:
    """A data set opened for reading; arrays stay on disk until they are indexed."""

    folder: Path
    info: DatasetInfo

    def inputs(self, split: Split) -> np.ndarray:
        """Return the inputs of a split, memory-mapped, read-only."""
        return read_array(self.folder / split / "inputs.npy")

    def targets(self, split: Split) -> np.ndarray:
        """Return the targets of a split, int64 (N,)."""
        return read_array(self.folder / split / "targets.npy")


def read_array(path: Path) -> np.ndarray:
    """Return the array of a .npy file, memory-mapped, read-only.

    Raises:
        DataError: the file is missing, cut off, or holds no array of numbers; nothing in it is unpickled.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError, TokenError) as error:
        raise DataError(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error


def open_dataset(folder: Path) -> PreparedDataset:
    """Open a folder of this format.

    Raises:
        DataError: `dataset.json` is missing or damaged, or a split's arrays do not fit it.
    """
    try:
        prepared = PreparedDataset(folder, DatasetInfo(**read_json(folder / "dataset.json")))
    except TypeError as error:
        raise DataError(f"{folder / 'dataset.json'} does not describe a data set: {error}") from error
    for split in SPLITS:
        inputs, targets = prepared.inputs(split), prepared.targets(split)
        if list(inputs.shape[1:]) != prepared.info.shape or len(inputs) != len(targets):
            raise DataError(
                f"{folder / split}: inputs {inputs.shape} and targets {targets.shape} do not fit dataset.json"
            )
    return prepared


def check_test_rows_match(features: PreparedDataset, images: PreparedDataset) -> None:
    """Check that features have the test rows of the images that they were computed from.

    Predictions on the features are reported beside these images.

    Raises:
        DataError: their test rows differ, or there are none.
    """
    if not np.array_equal(features.targets("test"), images.targets("test")):
        raise DataError(
            f"the test rows of {features.folder} are not those of {images.folder}; `dvc repro` remakes them"
        )
    if len(features.targets("test")) == 0:
        raise DataError(f"{features.folder} has no test images; raise `prepare.test` of the data set in params.yaml")


def read_rows_csv(folder: Path, split: Split) -> tuple[str, list[str]]:
    """Return the header and the lines of a split's `rows.csv`, each with its line end.

    Raises:
        DataError: the file is missing, empty or no text.
    """
    path = folder / split / "rows.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    if not lines:
        raise DataError(f"{path} is empty; `dvc repro` makes it again once it is deleted")
    return lines[0], lines[1:]


def create_memmap(folder: Path, split: Split, *, num_rows: int, shape: list[int], kind: str) -> np.ndarray:
    """Create `inputs.npy` of a split on disk, to be filled in place; uint8 for images, float16 for features.

    Raises:
        UserError: the disk has no room for it.
    """
    (folder / split).mkdir(parents=True, exist_ok=True)
    dtype = np.uint8 if kind == "images" else np.float16
    path = folder / split / "inputs.npy"
    if num_rows == 0:  # an empty file cannot be mapped
        write_array(path, np.zeros((0, *shape), dtype))
        return np.load(path)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(num_rows, *shape))
    _reserve_blocks(path)
    return array


def _reserve_blocks(path: Path) -> None:
    """Allocate the disk's blocks now: writing to a map on a disk that fills up later would kill the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    size = path.stat().st_size
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise UserError(f"{path} needs {size >> 20} MiB, for which the disk has no room: {error}") from error


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a small array as .npy, whole or not at all; `np.save` does not report that a disk is full."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getbuffer())


def write_targets(folder: Path, split: Split, targets: np.ndarray) -> None:
    """Write `targets.npy` of a split."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    write_array(folder / split / "targets.npy", np.asarray(targets, np.int64))


def token_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """Return the smallest unsigned type that numbers `vocabulary_size` symbols."""
    return np.min_scalar_type(vocabulary_size - 1)


def write_tokens(folder: Path, split: Split, *, tokens: np.ndarray, targets: np.ndarray, vocabulary_size: int) -> None:
    """Write the arrays of a split of a text or of sequences.

    Args:
        folder: the data set's folder.
        split: the split to write.
        tokens: inputs, whole numbers (N,) or (N, length), indices into the vocabulary.
        targets: whole numbers (N,), indices into the vocabulary.
        vocabulary_size: number of different symbols of the data set, which decides the dtype of the inputs.
    """
    write_targets(folder, split, targets)
    write_array(folder / split / "inputs.npy", tokens.astype(token_dtype(vocabulary_size)))


def write_info(
    folder: Path,
    kind: DataKind,
    class_names: list[str],
    *,
    mean: list[float],
    std: list[float],
    provenance: dict[str, Any],
) -> DatasetInfo:
    """Write `dataset.json` for complete arrays, and return its content; shape, counts and digest come from the arrays.

    Args:
        folder: the data set's folder, with the arrays of all splits.
        kind: "images", "features", "text" or "sequences".
        class_names: names by target index.
        mean, std: one value per channel of train's inputs; empty for symbols.
        provenance: origin of the raw data.
    """
    targets = {split: read_array(folder / split / "targets.npy") for split in SPLITS}
    info = DatasetInfo(
        kind=kind,
        shape=list(read_array(folder / "train" / "inputs.npy").shape[1:]),
        class_names=class_names,
        mean=mean,
        std=std,
        counts={split: _count_classes(targets[split], class_names) for split in SPLITS},
        provenance=provenance,
        digest=dataset_digest(folder),
    )
    write_json(folder / "dataset.json", asdict(info))
    return info


def _count_classes(targets: np.ndarray, class_names: list[str]) -> dict[str, int]:
    counts = np.bincount(targets, minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, counts, strict=True)}


def dataset_digest(folder: Path) -> str:
    """Return the SHA-256 over the arrays of all splits, in hexadecimal."""
    digests = [sha256_file(folder / split / file) for split in SPLITS for file in ("inputs.npy", "targets.npy")]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
