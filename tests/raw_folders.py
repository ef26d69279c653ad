"""Tiny raw data sets, written as download leaves them in `data/raw/<name>/`."""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    """Pixels (H, W), (H, W, 1) or (H, W, 3) as the bytes of an image file."""
    file = io.BytesIO()
    squeezed = pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    Image.fromarray(squeezed).save(file, kind, **options)
    return file.getvalue()


def random_images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """uint8 (count, *shape), all different."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def write_provenance(folder: Path, kind: str, class_names: list[str] | None) -> None:
    """A `provenance.json` as download writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": folder.name,
        "status": "variant",
        "source": "mirror",
        "format": kind,
        "files": {"a": "0" * 64},
        "digest": "1" * 64,
        "licence": "none",
        "class_names": class_names,
        "note": "made for a test",
    }
    (folder / "provenance.json").write_text(json.dumps(content))


def idx_bytes(array: np.ndarray) -> bytes:
    """An array uint8 in the IDX format, not packed."""
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def write_idx(folder: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    """The two files of a part; images uint8 (N, H, W)."""
    stem = {"train": "train", "test": "t10k"}[part]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
    (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels.astype(np.uint8))))


def cifar_bytes(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Records of CIFAR's binary format; images uint8 (N, 32, 32, 3)."""
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([labels.astype(np.uint8)[:, np.newaxis], planes], axis=1).tobytes()


def write_cifar(folder: Path, members: dict[str, bytes]) -> None:
    """`cifar-10-binary.tar.gz` with these members."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def write_zip(folder: Path, members: dict[str, bytes]) -> Path:
    """`images.zip` with these members."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return folder / "images.zip"


def write_parquet(
    folder: Path,
    part: str,
    images: list[bytes | None],
    labels: list[int | None],
    class_names: list[str] | None = None,
    columns: tuple[str, str] = ("image", "label"),
    paths: list[str | None] | None = None,
) -> Path:
    """`<part>-00000-of-00001.parquet` as the hub lays it out, in small row groups."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"bytes": image, "path": path} for image, path in zip(images, paths or [None] * len(images), strict=True)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({columns[0]: pa.array(rows, kind), columns[1]: pa.array(labels, pa.int64())})
    if class_names:
        features = {"info": {"features": {columns[1]: {"names": class_names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    path = folder / f"{part}-00000-of-00001.parquet"
    pq.write_table(table, path, row_group_size=7)
    return path
