"""Read the outputs of the stage prepare."""

import csv
from collections.abc import Callable
from pathlib import Path

from raw_folders import write_provenance

from vision_pipeline.data.format import SPLITS, PreparedDataset

Prepare = Callable[..., PreparedDataset]


def raw(name: str) -> Path:
    return Path("data/raw") / name


def mirrored(name: str, real_data: Path, folder: str) -> None:
    """The mirror's Parquet files as a raw folder."""
    write_provenance(raw(name), "parquet", None)
    for path in (real_data / folder).glob("*.parquet"):
        (raw(name) / path.name).symlink_to(path)


def rejects(name: str) -> list[tuple[str, str]]:
    with Path(f"data/prepared/{name}/rejects.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file", "reason"]
    return [(file, reason) for file, reason in rows]


def rows_of(prepared: PreparedDataset, split: str) -> list[dict[str, str]]:
    with (prepared.folder / split / "rows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def arrays_of(prepared: PreparedDataset) -> dict[str, bytes]:
    return {
        f"{split}/{file}": (prepared.folder / split / file).read_bytes()
        for split in SPLITS
        for file in ("inputs.npy", "targets.npy")
    }


def counts_of(prepared: PreparedDataset) -> dict[str, int]:
    return {split: sum(counts.values()) for split, counts in prepared.info.counts.items()}
