"""The one on-disk format of everything that a model can learn from.

A folder with `dataset.json` and, for each of `train`, `val` and `test`, `inputs.npy` and `targets.npy`:

    images    inputs uint8 (N, height, width, channels)
    features  inputs float16 (N, dimensions); train may hold several views, one after the other
    text      inputs unsigned (N,), one symbol after the other, as indices into `load_class_names`, its vocabulary
    sequences inputs unsigned (N, length), likewise

`targets.npy` is int64 (N,), indices into `load_class_names`; of a text each is the next symbol. The arrays are
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

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import read_json, sha256_file, write_bytes, write_json

Split = Literal["train", "val", "test"]
DataKind = Literal["images", "features", "text", "sequences"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.json` says.

    Attributes:
        kind: "images", "features", "text" or "sequences".
        shape: of one input: [height, width, channels], [dimensions], [] of a text's symbol, or [length].
        class_names: by target index; of a text and of sequences each is a symbol.
        mean, std: per channel of train's inputs; of images on the scale 0 to 1; symbols have none.
        counts: of rows, by split, then by class name.
        provenance: of the raw data: `name`, `status` (official, variant or stand-in), `source`,
            `digest` and `licence`; a text adds `not_held_out` (the splits that are the training text itself), features
            `backbone` (its name and the provenance of its weights), augmented views `augmentation` (their `policy`,
            how many `views`, and their `style` or None); where some of the images are grey of 16 bits, there is
            `get_grey_bits`, the bits of the range that these use, which became 0 to 255.
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
        """What its rows are called: images, features, sequences, or of a text symbols."""
        return "symbols" if self.kind == "text" else self.kind


@dataclass(frozen=True)
class PreparedDataset:
    """A data set opened for reading; arrays stay on disk until they are indexed."""

    folder: Path
    info: DatasetInfo

    def inputs(self, split: Split) -> np.ndarray:
        """Inputs of a split, memory-mapped, read-only."""
        return read_array(self.folder / split / "inputs.npy")

    def targets(self, split: Split) -> np.ndarray:
        """Targets of a split, int64 (N,)."""
        return read_array(self.folder / split / "targets.npy")


def read_array(path: Path) -> np.ndarray:
    """An array of a .npy file, memory-mapped, read-only.

    Raises:
        DataError: it is missing, cut off, or no array of numbers; nothing in it is unpickled.
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
    """Hold a set against the one that it was made from: what is tested on the one is shown by the other.

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
    """The header and the lines of a split's `rows.csv`, each with its line end.

    Raises:
        DataError: it is missing, empty or no text.
    """
    path = folder / split / "rows.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    if not lines:
        raise DataError(f"{path} is empty; `dvc repro` makes it again once it is deleted")
    return lines[0], lines[1:]


def create_memmap(folder: Path, split: Split, num_rows: int, shape: list[int], kind: str) -> np.ndarray:
    """Create `inputs.npy` of a split on disk, to be filled in place; uint8 for images, float16 for features."""
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
    """Take the disk's blocks now: on a disk that fills up later, writing to a map ends the process without a word."""
    if not hasattr(os, "posix_fallocate"):
        return
    size = path.stat().st_size
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise DataError(f"{path} needs {size >> 20} MiB, for which the disk has no room: {error}") from error


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a small array as .npy, whole or not at all; of a full disk `np.save` would not even say that it is full."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getbuffer())


def write_targets(folder: Path, split: Split, targets: np.ndarray) -> None:
    """Write `targets.npy` of a split."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    write_array(folder / split / "targets.npy", np.asarray(targets, np.int64))


def token_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """The unsigned type that numbers so many different symbols: of one byte where that is enough."""
    return np.min_scalar_type(vocabulary_size - 1)


def write_tokens(folder: Path, split: Split, tokens: np.ndarray, targets: np.ndarray, vocabulary_size: int) -> None:
    """Write the arrays of a split of a text or of sequences, which hold so many `vocabulary_size` symbols in all."""
    write_targets(folder, split, targets)
    write_array(folder / split / "inputs.npy", tokens.astype(token_dtype(vocabulary_size)))


def write_info(
    folder: Path,
    kind: DataKind,
    class_names: list[str],
    mean: list[float],
    std: list[float],
    provenance: dict[str, Any],
) -> DatasetInfo:
    """Write `dataset.json` for arrays that are complete; shape, counts and digest are read off them."""
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
    """SHA-256 over the arrays of all splits, in hexadecimal."""
    digests = [sha256_file(folder / split / file) for split in SPLITS for file in ("inputs.npy", "targets.npy")]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
