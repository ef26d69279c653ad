"""The one on-disk format of everything that a model can learn from.

A folder with `dataset.json` and, for each of `train`, `val` and `test`, `inputs.npy` and `targets.npy`:

    images    inputs uint8 (N, height, width, channels)
    features  inputs float16 (N, dimensions); train may hold several views, one after the other
    text      inputs unsigned (N,), one symbol after the other, as indices into `class_names`, its vocabulary
    sequences inputs unsigned (N, length), likewise

`targets.npy` is int64 (N,), indices into `class_names`; of a text each is the next symbol. The arrays are
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

from stages.project.console import Refusal
from stages.project.files import read_json, sha256, write_bytes, write_json

Split = Literal["train", "val", "test"]
Kind = Literal["images", "features", "text", "sequences"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Description:
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
            `grey_bits`, the bits of the range that these use, which became 0 to 255.
        digest: SHA-256 over the arrays of all splits, in hexadecimal.
    """

    kind: Kind
    shape: list[int]
    class_names: list[str]
    mean: list[float]
    std: list[float]
    counts: dict[str, dict[str, int]]
    provenance: dict[str, Any]
    digest: str

    @property
    def unit(self) -> str:
        """What its rows are called: images, features, sequences, or of a text symbols."""
        return "symbols" if self.kind == "text" else self.kind


@dataclass(frozen=True)
class PreparedSet:
    """A data set opened for reading; arrays stay on disk until they are indexed."""

    folder: Path
    about: Description

    def inputs(self, split: Split) -> np.ndarray:
        """Inputs of a split, memory-mapped, read-only."""
        return read_array(self.folder / split / "inputs.npy")

    def targets(self, split: Split) -> np.ndarray:
        """Targets of a split, int64 (N,)."""
        return read_array(self.folder / split / "targets.npy")


def read_array(path: Path) -> np.ndarray:
    """An array of a .npy file, memory-mapped, read-only.

    Raises:
        Refusal: it is missing, cut off, or no array of numbers; nothing in it is unpickled.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError, TokenError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error


def open_set(folder: Path) -> PreparedSet:
    """Open a folder of this format.

    Raises:
        Refusal: `dataset.json` is missing or damaged, or a split's arrays do not fit it.
    """
    try:
        prepared = PreparedSet(folder, Description(**read_json(folder / "dataset.json")))
    except TypeError as error:
        raise Refusal(f"{folder / 'dataset.json'} does not describe a data set: {error}") from error
    for split in SPLITS:
        inputs, targets = prepared.inputs(split), prepared.targets(split)
        if list(inputs.shape[1:]) != prepared.about.shape or len(inputs) != len(targets):
            raise Refusal(
                f"{folder / split}: inputs {inputs.shape} and targets {targets.shape} do not fit dataset.json"
            )
    return prepared


def check_same_test(given: PreparedSet, pictured: PreparedSet) -> None:
    """Hold a set against the one that it was made from: what is tested on the one is shown by the other.

    Raises:
        Refusal: their test rows differ, or there are none.
    """
    if not np.array_equal(given.targets("test"), pictured.targets("test")):
        raise Refusal(f"the test rows of {given.folder} are not those of {pictured.folder}; `dvc repro` remakes them")
    if len(given.targets("test")) == 0:
        raise Refusal(f"{given.folder} has no test images; raise `prepare.test` of the data set in params.yaml")


def read_rows(folder: Path, split: Split) -> tuple[str, list[str]]:
    """The header and the lines of a split's `rows.csv`, each with its line end.

    Raises:
        Refusal: it is missing, empty or no text.
    """
    path = folder / split / "rows.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    if not lines:
        raise Refusal(f"{path} is empty; `dvc repro` makes it again once it is deleted")
    return lines[0], lines[1:]


def array_file(folder: Path, split: Split, rows: int, shape: list[int], kind: str) -> np.ndarray:
    """Create `inputs.npy` of a split on disk, to be filled in place; uint8 for images, float16 for features."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    dtype = np.uint8 if kind == "images" else np.float16
    path = folder / split / "inputs.npy"
    if rows == 0:  # an empty file cannot be mapped
        write_array(path, np.zeros((0, *shape), dtype))
        return np.load(path)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(rows, *shape))
    _reserve(path)
    return array


def _reserve(path: Path) -> None:
    """Take the disk's blocks now: on a disk that fills up later, writing to a map ends the process without a word."""
    if not hasattr(os, "posix_fallocate"):
        return
    size = path.stat().st_size
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        raise Refusal(f"{path} needs {size >> 20} MiB, for which the disk has no room: {error}") from error


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a small array as .npy, whole or not at all; of a full disk `np.save` would not even say that it is full."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getbuffer())


def write_targets(folder: Path, split: Split, targets: np.ndarray) -> None:
    """Write `targets.npy` of a split."""
    (folder / split).mkdir(parents=True, exist_ok=True)
    write_array(folder / split / "targets.npy", np.asarray(targets, np.int64))


def symbol_type(symbols: int) -> np.dtype[Any]:
    """The unsigned type that numbers so many different symbols: of one byte where that is enough."""
    return np.min_scalar_type(symbols - 1)


def write_symbols(folder: Path, split: Split, symbols: np.ndarray, targets: np.ndarray, different: int) -> None:
    """Write the arrays of a split of a text or of sequences, which hold so many `different` symbols in all."""
    write_targets(folder, split, targets)
    write_array(folder / split / "inputs.npy", symbols.astype(symbol_type(different)))


def describe(
    folder: Path,
    kind: Kind,
    class_names: list[str],
    mean: list[float],
    std: list[float],
    provenance: dict[str, Any],
) -> Description:
    """Write `dataset.json` for arrays that are complete; shape, counts and digest are read off them."""
    targets = {split: read_array(folder / split / "targets.npy") for split in SPLITS}
    about = Description(
        kind=kind,
        shape=list(read_array(folder / "train" / "inputs.npy").shape[1:]),
        class_names=class_names,
        mean=mean,
        std=std,
        counts={split: _counts(targets[split], class_names) for split in SPLITS},
        provenance=provenance,
        digest=digest_of(folder),
    )
    write_json(folder / "dataset.json", asdict(about))
    return about


def _counts(targets: np.ndarray, class_names: list[str]) -> dict[str, int]:
    counts = np.bincount(targets, minlength=len(class_names))
    return {name: int(count) for name, count in zip(class_names, counts, strict=True)}


def digest_of(folder: Path) -> str:
    """SHA-256 over the arrays of all splits, in hexadecimal."""
    digests = [sha256(folder / split / file) for split in SPLITS for file in ("inputs.npy", "targets.npy")]
    return hashlib.sha256("".join(digests).encode()).hexdigest()
