"""Download a data set: its files as published, into data/raw/NAME, with their provenance."""

from pathlib import Path
from typing import Any

from vision_pipeline.config.data_validation import check_path_exists
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.files import atomic_dir, write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import RAW
from vision_pipeline.core.stage_main import run_stage


def main(name: str) -> None:
    """Download one data set of params.yaml, or pack the user's own folder."""
    kind, path, source = load_params(f"datasets.{name}.kind", f"datasets.{name}.path", f"datasets.{name}.source")
    if problem := check_path_exists(f"datasets.{name}.path", path, kind):
        raise ConfigError(problem)
    with atomic_dir(RAW / name) as folder:
        provenance = _download(name, kind, path, source, folder)
        write_json(folder / "provenance.json", provenance)
    logger.info(
        f"{name}: {provenance['status']}, from {provenance['source']}"
        + (f" ({provenance['note']})" if provenance["note"] else "")
    )
    if provenance["status"] == "stand-in" and source != "stand-in":
        logger.warning(
            f"{name}: no source gave the data set, so these are STAND-IN data, not the data set; "
            f"`dvc repro -f -s download@{name}` replaces them once one can"
        )


def _download(name: str, kind: str, path: str, source: str, folder: Path) -> dict[str, Any]:
    if kind == "catalog":
        return _fetch_catalog(Path(path), source, folder)
    if kind == "folder":
        return _pack_folder(name, Path(path), folder)
    return _import_text(name, path, folder) if kind == "text" else _write_task(name, Path(path), folder)


def _fetch_catalog(path: Path, source: str, folder: Path) -> dict[str, Any]:
    from vision_pipeline.sources.acquire import acquire_dataset
    from vision_pipeline.sources.catalog import read_entry

    return acquire_dataset(read_entry(path), source, folder)


def _pack_folder(name: str, path: Path, folder: Path) -> dict[str, Any]:
    from vision_pipeline.sources.image_folder import pack_image_folder
    from vision_pipeline.sources.provenance import make_provenance

    class_names = pack_image_folder(path, folder)
    return make_provenance(
        name,
        status="own",
        source="folder",
        data_format="parquet",
        folder=folder,
        licence="yours",
        class_names=class_names,
    )


def _import_text(name: str, path: str, folder: Path) -> dict[str, Any]:
    from vision_pipeline.sources.text_files import import_text

    return import_text(name, path, folder)


def _write_task(name: str, path: Path, folder: Path) -> dict[str, Any]:
    """Write the number of sequences; `prepare` draws them, because it reads their length from params.yaml."""
    from vision_pipeline.sources.catalog import read_copy_entry
    from vision_pipeline.sources.provenance import make_provenance

    entry = read_copy_entry(path)
    write_json(folder / "copy.json", {"rows": entry.rows})
    return make_provenance(
        name,
        status="drawn",
        source="drawn",
        data_format="copy",
        folder=folder,
        licence="MIT",
        class_names=entry.symbols,
    )


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "the data set, a key of `datasets` in params.yaml")
