"""Stage `download`: a data set's files as published, into data/raw/<name>, with their provenance."""

from pathlib import Path
from typing import Any

from stages.params.load import load
from stages.project.console import say, warn
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_json
from stages.project.paths import RAW


def main(name: str) -> None:
    """Download one data set of params.yaml, or pack the user's own folder."""
    kind, path, source = load(f"datasets.{name}.kind", f"datasets.{name}.path", f"datasets.{name}.source")
    with replacing_folder(RAW / name) as folder:
        about = _own(name, Path(path), folder) if kind == "folder" else _public(Path(path), source, folder)
        write_json(folder / "provenance.json", about)
    say(f"{name}: {about['status']}, from {about['source']}" + (f" ({about['note']})" if about["note"] else ""))
    if about["status"] == "stand-in" and source != "stand-in":
        warn(
            f"{name}: no source gave the data set, so these are STAND-IN images, not the data set; "
            f"`dvc repro -f -s download@{name}` replaces them once one can"
        )


def _public(path: Path, source: str, folder: Path) -> dict[str, Any]:
    from stages.sources.entries import read_entry
    from stages.sources.obtain import obtain

    return obtain(read_entry(path), source, folder)


def _own(name: str, path: Path, folder: Path) -> dict[str, Any]:
    from stages.sources.folder import pack_folder
    from stages.sources.provenance import provenance

    class_names = pack_folder(path, folder)
    return provenance(name, "own", "folder", "parquet", folder, "yours", class_names)


if __name__ == "__main__":
    open_door(main, __doc__ or "", "the data set, a key of `datasets` in params.yaml")
