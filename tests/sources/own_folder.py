"""A user's own folder of class folders, and what was packed of it."""

import os
from pathlib import Path

import pyarrow.parquet as pq


def fill(root: Path, *files: str) -> None:
    """Make files that hold their own names."""
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))


def packed(into: Path, split: str) -> list[tuple[str, str, int]]:
    """(path, content, label) of every row."""
    table = pq.read_table(into / f"{split}-00000-of-00001.parquet")
    images = table["image"].to_pylist()
    return [
        (i["path"], i["bytes"].decode(errors="replace"), label)
        for i, label in zip(images, table["label"].to_pylist(), strict=True)
    ]
