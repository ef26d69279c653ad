"""params.yaml, and the data and weights that it asks for."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.commands.doctor_checks.finding import Finding, note, ok, problem
from stages.commands.pipeline.copies import obstacles
from stages.params import load, problems
from stages.params.data import Dataset
from stages.params.load import PARAMS, parsed
from stages.params.path_checks import absent
from stages.params.plain_yaml import read_yaml
from stages.project.files import write_json
from stages.project.paths import RAW, WEIGHTS
from stages.sources.entries import read_entry
from stages.sources.notices import data_notices, weight_notices
from stages.sources.offer import better_source


def params() -> Iterator[Finding]:
    """Whether params.yaml is valid, and every path that it names is there."""
    wrong = problems() or list(absent(*load("datasets", "policies")))
    if wrong:
        yield problem(f"params.yaml: {'; '.join(wrong)}", "change that; `git diff params.yaml` shows your edits")
    else:
        yield ok("params.yaml is valid")


def experiments() -> Iterator[Finding]:
    """Whether a copy of the project, in which DVC runs experiments, would have all that they need."""
    found = [note(*obstacle) for obstacle in obstacles(parsed(PARAMS, read_yaml))]
    yield from found or [ok("DVC can run experiments in a copy of what git and DVC track")]


def sources(offline: bool) -> Iterator[Finding]:
    """What is at hand and could be better, and what is not at hand and cannot be had.

    Args:
        offline: ask no host.
    """
    datasets, backbones = load("datasets", "backbones")
    notices = [*data_notices(datasets, RAW, not offline), *weight_notices(backbones, WEIGHTS, not offline)]
    found = [note(one.about, "vision check --fix" if one.better else f"dvc repro -f -s {one.stage}") for one in notices]
    for name, dataset in datasets.items():
        if dataset.kind == "catalog" and not (RAW / name).exists():
            found += _absent(name, dataset, offline)
    yield from found or [ok("nothing is missing that could be had" if offline else "the best that can be had")]


def _absent(name: str, dataset: Dataset, offline: bool) -> list[Finding]:
    """Return what keeps a public data set that is not here yet from being fetched."""
    return [] if offline and dataset.source in ("auto", "official") else _offered(name, dataset, offline)


def _offered(name: str, dataset: Dataset, offline: bool) -> list[Finding]:
    """Whether the mirror or a host has it; asked as what would take the place of a stand-in."""
    if dataset.source == "stand-in":
        return []
    with TemporaryDirectory() as place:
        about = {"status": "stand-in", "source": "stand-in", "files": {}}
        write_json(Path(place) / name / "provenance.json", about)
        if better_source(name, read_entry(Path(dataset.path)), dataset.source, Path(place), not offline):
            return []
    nowhere, fix = f"{name}: neither DATA_MIRROR nor a host has it", "name a folder that has it in DATA_MIRROR"
    if dataset.source == "auto":
        return [note(f"{nowhere}, so a small stand-in is drawn, where there is one", fix)]
    return [problem(f"{nowhere}, and datasets.{name}.source is {dataset.source!r}", fix)]
