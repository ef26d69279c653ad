"""A made-up data set, with its files and its catalogue entry."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vision_pipeline.sources.catalog import CatalogEntry
from vision_pipeline.sources.hub_parquet import write_hub_parquet

ARCHIVES = {"one.gz": b"first archive", "two.gz": b"second archive"}


def png(image: np.ndarray) -> bytes:
    """The image as PNG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


class Tiny:
    """A data set of 4x4 grey images: 10 for train, 4 for test, two classes."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.images = {s: rng.integers(0, 256, (n, 4, 4), np.uint8) for s, n in (("train", 10), ("test", 4))}
        self.labels = {s: np.arange(len(images), dtype=np.uint8) % 2 for s, images in self.images.items()}

    def write(self, folder: Path, order: list[int] | None = None, class_names: tuple[str, str] = ("a", "b")) -> None:
        """Write the Parquet files, train in two shards, its rows in `order`."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = {
            split: [(png(i), f"{n}.png", int(self.labels[split][n])) for n, i in enumerate(images)]
            for split, images in self.images.items()
        }
        train = [rows["train"][row] for row in order or range(10)]
        names = list(class_names)
        write_hub_parquet(folder / "train-00000-of-00002.parquet", train[:5], names)
        write_hub_parquet(folder / "train-00001-of-00002.parquet", train[5:], names)
        write_hub_parquet(folder / "test-00000-of-00001.parquet", rows["test"], names)

    def entry(self, **changes: Any) -> CatalogEntry:
        """Its catalogue entry: archives first, then Parquet."""
        md5 = {
            split: {
                "images": hashlib.md5(images.tobytes()).hexdigest(),
                "labels": hashlib.md5(self.labels[split].tobytes()).hexdigest(),
            }
            for split, images in self.images.items()
        }
        archives = [
            {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in ARCHIVES.items()
        ]
        shards = ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "test-00000-of-00001.parquet"]
        values: dict[str, Any] = {
            "name": "tiny",
            "licence": "none",
            "class_names": ["a", "b"],
            "rows": {"train": 10, "test": 4},
            "releases": [
                {"format": "idx", "urls": ["https://one.invalid/", "https://two.invalid/"], "files": archives},
                {
                    "format": "parquet",
                    "urls": ["https://hub.invalid/"],
                    "files": [{"name": name} for name in shards],
                    "mirror_folders": ["tiny/plain", "someone/tiny/plain"],
                    "columns": {"image": "image", "label": "label"},
                },
            ],
            "pixels": {"shape": [4, 4], "train": {**md5["train"], "also_at": [5, 0]}, "test": md5["test"]},
        }
        return CatalogEntry.model_validate({**values, **changes})
