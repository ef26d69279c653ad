"""Read hub-layout Parquet: encoded images in `struct<bytes, path>`, class names in the schema's metadata."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vision_pipeline.data.readers.raw import RawDataset, RawExample, SourceSplit, check_labels, corrupt_file_error

_IMAGE_COLUMNS = ("image", "img")
_LABEL_COLUMNS = ("label", "labels")
_BATCH_ROWS = 64  # rows in memory at a time
_BUFFER_BYTES = 1 << 20  # read ahead of each column
_PARQUET_ERRORS = (OSError, ValueError, pa.ArrowException)  # ValueError: a name is no UTF-8
_MAX_GROUP_BYTES = 4 << 30  # bytes of a row group, unpacked


def read_parquet(folder: Path, class_names: list[str]) -> RawDataset:
    """Read the files `train-*.parquet` and `test-*.parquet` of `folder`, a few rows in memory at a time.

    Raises:
        DataError: a file is cut off or not Parquet, lacks the columns, or names other classes than `class_names`.
    """
    splits: tuple[SourceSplit, ...] = ("train", "test")
    files = [(split, path) for split in splits for path in sorted(folder.rglob(f"{split}-*.parquet"))]
    if not files:
        raise corrupt_file_error(folder / "train-*.parquet", "there is no such file")
    count = 0
    for _, path in files:
        count += _check_and_count_rows(path)
        class_names = _read_class_names(path, class_names)

    def iter_examples() -> Iterator[RawExample]:
        for split, path in files:
            yield from _iter_examples(path, split, class_names)

    return RawDataset(class_names, count, iter_examples)


def _open_file(path: Path) -> Any:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES)
    except _PARQUET_ERRORS as error:
        raise corrupt_file_error(path, error) from error


def _check_and_count_rows(path: Path) -> int:
    """Return the number of rows of a file that has the columns, and no row group that is too large."""
    with _open_file(path) as file:
        _find_columns(path, file)
        for group in range(file.num_row_groups):
            if file.metadata.row_group(group).total_byte_size > _MAX_GROUP_BYTES:
                raise corrupt_file_error(path, f"row group {group} unpacks to more than {_MAX_GROUP_BYTES:,} bytes")
        return int(file.metadata.num_rows)


def _find_columns(path: Path, file: Any) -> tuple[str, str]:
    names = file.schema_arrow.names
    image = next((name for name in _IMAGE_COLUMNS if name in names), None)
    label = next((name for name in _LABEL_COLUMNS if name in names), None)
    if image is None or label is None:
        raise corrupt_file_error(path, f"its columns are {', '.join(names)}; needed: image or img, and label or labels")
    image_type = file.schema_arrow.field(image).type
    if not _is_image_struct(image_type):
        raise corrupt_file_error(path, f"its column {image} is {image_type}, not struct<bytes, path>")
    if not pa.types.is_integer(file.schema_arrow.field(label).type):
        raise corrupt_file_error(
            path, f"its column {label} is {file.schema_arrow.field(label).type}, not whole numbers"
        )
    return image, label


def _is_image_struct(column_type: Any) -> bool:
    """Return whether a column is `struct<bytes, path>`; the path may be missing."""
    if not pa.types.is_struct(column_type):
        return False
    fields = {field.name: field.type for field in column_type}
    path_type = fields.get("path", pa.string())
    return fields.get("bytes") in (pa.binary(), pa.large_binary()) and path_type in (pa.string(), pa.large_string())


def _read_class_names(path: Path, expected: list[str]) -> list[str]:
    """Return the class names; those in the metadata must be the `expected` ones (in any case) where there are both."""
    with _open_file(path) as file:
        label = _find_columns(path, file)[1]
        metadata = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        declared = [str(name) for name in json.loads(metadata)["info"]["features"][label]["names"]]
    except (ValueError, KeyError, TypeError):
        declared = []
    if not (declared or expected):
        raise corrupt_file_error(path, "no class names, neither in provenance.json nor in its schema's metadata")
    if declared and expected and [name.casefold() for name in declared] != [name.casefold() for name in expected]:
        raise corrupt_file_error(path, f"its classes are {', '.join(declared)}; expected: {', '.join(expected)}")
    return expected or declared


def _iter_examples(path: Path, split: SourceSplit, class_names: list[str]) -> Iterator[RawExample]:
    row = 0
    for images, paths, labels in _iter_batches(path):
        check_labels(path, labels, class_names)
        content = images.field("bytes")
        for offset, label in enumerate(labels):
            name = paths[offset] or f"{path.name}:{row}"
            yield RawExample(int(label), name, split, partial(_get_bytes, content, offset))
            row += 1


def _iter_batches(path: Path) -> Iterator[tuple[Any, list[str | None], np.ndarray]]:
    try:
        with _open_file(path) as file:
            image, label = _find_columns(path, file)
            for batch in file.iter_batches(_BATCH_ROWS, columns=[image, label], use_threads=False):
                if batch.column(label).null_count:
                    raise corrupt_file_error(path, f"its column {label} has empty rows")
                images = batch.column(image)
                has_paths = images.type.get_field_index("path") >= 0
                paths = images.field("path").to_pylist() if has_paths else [None] * len(images)
                yield images, paths, batch.column(label).to_numpy()
    except _PARQUET_ERRORS as error:
        raise corrupt_file_error(path, error) from error


def _get_bytes(content: Any, row: int) -> bytes:
    return content[row].as_py() or b""
