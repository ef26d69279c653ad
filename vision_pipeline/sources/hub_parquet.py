"""Write and read hub-layout Parquet.

A file has an image column `struct<bytes, path>`, an int64 class column, and the class names in its metadata.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vision_pipeline.sources.catalog import CatalogMismatch, ParquetColumns

HUB_COLUMNS = ParquetColumns(image="image", label="label")
_GROUP_ROWS = 1000
_GROUP_BYTES = 32 << 20


def write_hub_parquet(path: Path, rows: Iterable[tuple[bytes, str, int]], class_names: list[str]) -> int:
    """Write (encoded image, its name, class index) rows, in groups that bound the memory; return their number."""
    schema = _make_schema(class_names)
    count = 0
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False) as writer:
        for group in _iter_groups(rows):
            images = [{"bytes": content, "path": name} for content, name, _ in group]
            labels = [label for _, _, label in group]
            writer.write_table(pa.table({"image": images, "label": labels}, schema=schema))
            count += len(group)
    return count


def _make_schema(class_names: list[str]) -> pa.Schema:
    features = {"image": {"_type": "Image"}, "label": {"names": class_names, "_type": "ClassLabel"}}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema([("image", image), ("label", pa.int64())], metadata=metadata)


def _iter_groups(rows: Iterable[tuple[bytes, str, int]]) -> Iterator[list[tuple[bytes, str, int]]]:
    group: list[tuple[bytes, str, int]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[0])
        if len(group) == _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def check_schema(path: Path, columns: ParquetColumns, class_names: list[str]) -> None:
    """Check that a file has the columns and, where it names its classes, those of the catalogue in its order.

    Raises:
        CatalogMismatch: it is not Parquet, or differs.
    """
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise CatalogMismatch(f"{path.name} is not a Parquet file: {error}") from error
    if missing := [name for name in (columns.image, columns.label) if name not in schema.names]:
        raise CatalogMismatch(f"{path.name} has no column {' and no '.join(missing)}; it has {', '.join(schema.names)}")
    names = _read_class_names(schema, columns.label)
    if names is not None and names != class_names:
        raise CatalogMismatch(f"{path.name} has the classes {names}, expected {class_names}")


def _read_class_names(schema: pa.Schema, label: str) -> list[str] | None:
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names: list[str] = features[label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return names


def count_rows(paths: list[Path]) -> int:
    """Return the number of rows of some files, from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


def iter_rows(paths: list[Path], columns: ParquetColumns) -> Iterator[tuple[bytes | None, Any]]:
    """Yield (encoded image, label) of every row of the files, in order.

    Raises:
        CatalogMismatch: a file's content is damaged.
    """
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(batch_size=256, columns=[columns.image, columns.label]):
                    images = batch.column(columns.image).field("bytes").to_pylist()
                    yield from zip(images, batch.column(columns.label).to_pylist(), strict=True)
        except (pa.ArrowException, OSError, KeyError, AttributeError) as error:
            raise CatalogMismatch(f"{path.name} is damaged: {error}") from error
