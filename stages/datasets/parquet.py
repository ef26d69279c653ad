"""Parquet as the hub lays it out: encoded images in `struct<bytes, path>`, class names in the schema's metadata."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.datasets.raw import Item, Part, RawSet, check_labels, damaged

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels")
_ROWS = 64  # in memory at a time
_BUFFER = 1 << 20  # bytes read ahead of each column
_UNREADABLE = (OSError, ValueError, pa.ArrowException)  # ValueError: of a name that is no UTF-8
_MAX_GROUP_BYTES = 4 << 30  # of a row group, unpacked


def read_parquet(folder: Path, class_names: list[str]) -> RawSet:
    """The files `train-*.parquet` and `test-*.parquet` of `folder`, a few rows in memory at a time.

    Raises:
        Refusal: a file is cut off or not Parquet, lacks the columns, or names other classes than `class_names`.
    """
    parts: tuple[Part, ...] = ("train", "test")
    files = [(part, path) for part in parts for path in sorted(folder.rglob(f"{part}-*.parquet"))]
    if not files:
        raise damaged(folder / "train-*.parquet", "there is no such file")
    count = 0
    for _, path in files:
        count += _checked(path)
        class_names = _classes(path, class_names)

    def items() -> Iterator[Item]:
        for part, path in files:
            yield from _items(path, part, class_names)

    return RawSet(class_names, count, items)


def _open(path: Path) -> Any:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER)
    except _UNREADABLE as error:
        raise damaged(path, error) from error


def _checked(path: Path) -> int:
    """The number of rows."""
    with _open(path) as file:
        _columns(path, file)
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > _MAX_GROUP_BYTES:
                raise damaged(path, f"row group {group} unpacks to more than {_MAX_GROUP_BYTES:,} bytes")
        return int(file.metadata.num_rows)


def _columns(path: Path, file: Any) -> tuple[str, str]:
    names = file.schema_arrow.names
    image = next((name for name in _IMAGE_COLUMNS if name in names), None)
    label = next((name for name in _LABEL_COLUMNS if name in names), None)
    if image is None or label is None:
        raise damaged(path, f"its columns are {', '.join(names)}; needed: image or img, and label or labels")
    kind = file.schema_arrow.field(image).type
    if not _of_images(kind):
        raise damaged(path, f"its column {image} is {kind}, not struct<bytes, path>")
    if not pa.types.is_integer(file.schema_arrow.field(label).type):
        raise damaged(path, f"its column {label} is {file.schema_arrow.field(label).type}, not whole numbers")
    return image, label


def _of_images(kind: Any) -> bool:
    """Whether it is `struct<bytes, path>`; the path may be missing."""
    if not pa.types.is_struct(kind):
        return False
    fields = {field.name: field.type for field in kind}
    names = fields.get("path", pa.string())
    return fields.get("bytes") in (pa.binary(), pa.large_binary()) and names in (pa.string(), pa.large_string())


def _classes(path: Path, expected: list[str]) -> list[str]:
    """The class names in the metadata, which must be the `expected` ones (but for case) where both are known."""
    with _open(path) as file:
        label = _columns(path, file)[1]
        metadata = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        found = [str(name) for name in json.loads(metadata)["info"]["features"][label]["names"]]
    except (ValueError, KeyError, TypeError):
        found = []
    if not (found or expected):
        raise damaged(path, "no class names, neither in provenance.json nor in its schema's metadata")
    if found and expected and [name.casefold() for name in found] != [name.casefold() for name in expected]:
        raise damaged(path, f"its classes are {', '.join(found)}; expected: {', '.join(expected)}")
    return expected or found


def _items(path: Path, part: Part, class_names: list[str]) -> Iterator[Item]:
    row = 0
    for images, paths, labels in _batches(path):
        check_labels(path, labels, class_names)
        content = images.field("bytes")
        for offset, label in enumerate(labels):
            name = paths[offset] or f"{path.name}:{row}"
            yield Item(int(label), name, part, partial(_bytes, content, offset))
            row += 1


def _batches(path: Path) -> Iterator[tuple[Any, list[str | None], np.ndarray]]:
    try:
        with _open(path) as file:
            image, label = _columns(path, file)
            for batch in file.iter_batches(_ROWS, columns=[image, label], use_threads=False):
                if batch.column(label).null_count:
                    raise damaged(path, f"its column {label} has empty rows")
                images = batch.column(image)
                named = images.type.get_field_index("path") >= 0
                paths = images.field("path").to_pylist() if named else [None] * len(images)
                yield images, paths, batch.column(label).to_numpy()
    except _UNREADABLE as error:
        raise damaged(path, error) from error


def _bytes(content: Any, row: int) -> bytes:
    return content[row].as_py() or b""
