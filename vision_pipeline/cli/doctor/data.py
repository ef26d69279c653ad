"""Checks of params.yaml, and of the data and weights that it names."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from vision_pipeline.cli.doctor.finding import Finding, note, ok, problem
from vision_pipeline.cli.pipeline.obstacles import find_obstacles
from vision_pipeline.config.data import AnyDatasetConfig
from vision_pipeline.config.data_validation import check_paths_exist
from vision_pipeline.config.load import PARAMS, list_validation_errors, load_params, parse_file, safe_load
from vision_pipeline.core.files import write_json
from vision_pipeline.core.paths import RAW, WEIGHTS
from vision_pipeline.sources.availability import find_better_source, iter_data_status, iter_weight_status
from vision_pipeline.sources.catalog import read_entry


def check_params() -> Iterator[Finding]:
    """Check that params.yaml is valid, and that every path in it exists."""
    errors = list_validation_errors() or list(check_paths_exist(*load_params("datasets", "policies")))
    if errors:
        yield problem(f"params.yaml: {'; '.join(errors)}", "change that; `git diff params.yaml` shows your edits")
    else:
        yield ok("params.yaml is valid")


def check_experiments() -> Iterator[Finding]:
    """Check that a copy of the project, in which DVC runs experiments, would have all that they need."""
    findings = [note(*obstacle) for obstacle in find_obstacles(parse_file(PARAMS, safe_load))]
    yield from findings or [ok("DVC can run experiments in a copy of what git and DVC track")]


def check_sources(offline: bool) -> Iterator[Finding]:
    """Check for data and weights that could be better, and for those that are missing and cannot be had.

    Args:
        offline: look in DATA_MIRROR only.
    """
    datasets, backbones = load_params("datasets", "backbones")
    notices = [*iter_data_status(datasets, RAW, not offline), *iter_weight_status(backbones, WEIGHTS, not offline)]
    findings = [
        note(notice.message, "vision check --fix" if notice.better_available else f"dvc repro -f -s {notice.stage}")
        for notice in notices
    ]
    for name, dataset in datasets.items():
        if dataset.kind == "catalog" and not (RAW / name).exists():
            findings += _check_missing_dataset(name, dataset, offline)
    yield from findings or [ok("nothing is missing that could be had" if offline else "the best that can be had")]


def _check_missing_dataset(name: str, dataset: AnyDatasetConfig, offline: bool) -> list[Finding]:
    """Return what keeps a missing public data set from being fetched."""
    return [] if offline and dataset.source in ("auto", "official") else _check_available(name, dataset, offline)


def _check_available(name: str, dataset: AnyDatasetConfig, offline: bool) -> list[Finding]:
    """Return a finding where neither the mirror nor a host has a data set, searched as a stand-in's replacement."""
    if dataset.source == "stand-in":
        return []
    with TemporaryDirectory() as folder:
        provenance = {"status": "stand-in", "source": "stand-in", "files": {}}
        write_json(Path(folder) / name / "provenance.json", provenance)
        if find_better_source(
            name,
            read_entry(Path(dataset.path)),
            requested=dataset.source,
            raw_dir=Path(folder),
            probe_network=not offline,
        ):
            return []
    message, fix = f"{name}: neither DATA_MIRROR nor a host has it", "name a folder that has it in DATA_MIRROR"
    if dataset.source == "auto":
        return [note(f"{message}, so a small stand-in is drawn, where there is one", fix)]
    return [problem(f"{message}, and datasets.{name}.source is {dataset.source!r}", fix)]
