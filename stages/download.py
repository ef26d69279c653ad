"""Stage `download`: a data set's files as published, into data/raw/<name>, with their provenance."""

from pathlib import Path
from typing import Any

from stages.params.load import load
from stages.params.path_checks import absent_path
from stages.project.console import Refusal, say, warn
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_json
from stages.project.paths import RAW


def main(name: str) -> None:
    """Download one data set of params.yaml, or pack the user's own folder."""
    kind, path, source = load(f"datasets.{name}.kind", f"datasets.{name}.path", f"datasets.{name}.source")
    if line := absent_path(f"datasets.{name}.path", path, kind):
        raise Refusal(line)
    with replacing_folder(RAW / name) as folder:
        about = _obtained(name, kind, path, source, folder)
        write_json(folder / "provenance.json", about)
    say(f"{name}: {about['status']}, from {about['source']}" + (f" ({about['note']})" if about["note"] else ""))
    if about["status"] == "stand-in" and source != "stand-in":
        warn(
            f"{name}: no source gave the data set, so these are STAND-IN data, not the data set; "
            f"`dvc repro -f -s download@{name}` replaces them once one can"
        )


def _obtained(name: str, kind: str, path: str, source: str, folder: Path) -> dict[str, Any]:
    if kind == "catalog":
        return _public(Path(path), source, folder)
    if kind == "folder":
        return _own(name, Path(path), folder)
    return _text(name, path, folder) if kind == "text" else _drawn(name, Path(path), folder)


def _public(path: Path, source: str, folder: Path) -> dict[str, Any]:
    from stages.sources.entries import read_entry
    from stages.sources.obtain import obtain

    return obtain(read_entry(path), source, folder)


def _own(name: str, path: Path, folder: Path) -> dict[str, Any]:
    from stages.sources.folder import pack_folder
    from stages.sources.provenance import provenance

    class_names = pack_folder(path, folder)
    return provenance(name, "own", "folder", "parquet", folder, "yours", class_names)


def _text(name: str, path: str, folder: Path) -> dict[str, Any]:
    from stages.sources.text import own_text

    return own_text(name, path, folder)


def _drawn(name: str, path: Path, folder: Path) -> dict[str, Any]:
    """Nothing but how many sequences there are: `prepare` draws them, for it knows their length."""
    from stages.sources.entries import read_copy_entry
    from stages.sources.provenance import provenance

    entry = read_copy_entry(path)
    write_json(folder / "copy.json", {"rows": entry.rows})
    return provenance(name, "drawn", "drawn", "copy", folder, "MIT", entry.symbols)


if __name__ == "__main__":
    open_door(main, __doc__ or "", "the data set, a key of `datasets` in params.yaml")
