"""Describe raw data in `provenance.json`, with the same bytes on every run and in every folder."""

import hashlib
from pathlib import Path
from typing import Any

from vision_pipeline.core.files import sha256_file

PROVENANCE_FILE = "provenance.json"
LEFT_OUT_FILE = "left_out.csv"  # unused images of a user's folder; not part of the data and their digest


def make_provenance(
    name: str,
    *,
    status: str,
    source: str,
    data_format: str,
    folder: Path,
    licence: str,
    class_names: list[str],
    note: str = "",
    url: str = "",
) -> dict[str, Any]:
    """Return the provenance of the files in `folder`.

    Args:
        name: name of the data set.
        status: "official" (the publisher's bytes or pixels), "variant", "stand-in", "own" (a user's folder or
            text) or "drawn" (a task that the project generates).
        source: "official", "mirror", "stand-in", "folder", "file", "address" or "drawn".
        data_format: the files' format: "idx", "cifar-binary", "zip", "parquet", "text" or "copy".
        folder: holds the files, and no others except the list of unused images.
        licence: licence of the data.
        class_names: names by target index; empty for a text.
        note: a remark for the reader, or "".
        url: the publisher's address of the files, or "".
    """
    files = {
        path.name: sha256_file(path)
        for path in sorted(folder.iterdir())
        if path.name not in (PROVENANCE_FILE, LEFT_OUT_FILE)
    }
    listing = "".join(f"{digest}  {file}\n" for file, digest in files.items())
    return {
        "name": name,
        "status": status,
        "source": source,
        "format": data_format,
        "files": files,
        "digest": hashlib.sha256(listing.encode()).hexdigest(),
        "licence": licence,
        "class_names": class_names,
        "note": note,
        **({"url": url} if url else {}),
    }
