"""What is said of raw data: `provenance.json`, the same bytes on every run and in every folder."""

import hashlib
from pathlib import Path
from typing import Any

from vision_pipeline.core.files import sha256_file

PROVENANCE_FILE = "provenance.json"
LEFT_OUT_FILE = "left_out.csv"  # images of a user's folder that are not used; no part of the data, nor of their digest


def make_provenance(
    name: str,
    status: str,
    source: str,
    data_format: str,
    folder: Path,
    licence: str,
    class_names: list[str],
    note: str = "",
    url: str = "",
) -> dict[str, Any]:
    """Describe the files that lie in `folder`.

    Args:
        name: of the data set.
        status: "official" (the publisher's bytes or pixels), "variant", "stand-in", "own" (a user's folder or
            text) or "drawn" (a task that the project makes up).
        source: "official", "mirror", "stand-in", "folder", "file", "address" or "drawn".
        data_format: the files' format: "idx", "cifar-binary", "zip", "parquet", "text" or "copy".
        folder: holds the files, and no others but the list of what is left out.
        licence: of the data.
        class_names: by target index; of a text none.
        note: what a reader should know, or "".
        url: where the publisher has the files, or "".
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
