"""What `vision doctor` says of params.yaml and of where data come from."""

import json
from pathlib import Path

import pytest
from doctor_checks import change, only

from vision_pipeline.cli.doctor import data
from vision_pipeline.cli.doctor.finding import NOTE, OK, PROBLEM


def test_data_that_cannot_be_had(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(place, lambda params: params["datasets"]["mnist"].update(source="mirror"))
    monkeypatch.setattr(
        data, "find_better_source", lambda name, *args, **kwargs: "official" if name == "cifar10" else None
    )
    findings = [(finding.level, finding.message) for finding in data.check_sources(offline=False)]
    assert (PROBLEM, "mnist: neither DATA_MIRROR nor a host has it, and datasets.mnist.source is 'mirror'") in findings
    nowhere = "cats_dogs: neither DATA_MIRROR nor a host has it, so a small stand-in is drawn, where there is one"
    assert (NOTE, nowhere) in findings
    assert not any("cifar10" in message for _, message in findings)


def test_a_path_that_is_not_there(place: Path) -> None:
    change(place, lambda params: params["datasets"]["hello"].update(kind="text", path="data/texts/helo.txt"))
    (finding,) = data.check_params()
    assert (finding.level, finding.message) == (
        PROBLEM,
        "params.yaml: datasets.hello.path is 'data/texts/helo.txt', which does not exist; "
        "did you mean 'data/texts/hello.txt'?",
    )


def test_images_that_experiments_would_lack_are_noted(place: Path) -> None:
    assert only(data.check_experiments()) == (OK, "DVC can run experiments in a copy of what git and DVC track", "")
    (place / "mine/cat").mkdir(parents=True)
    (place / "mine/cat/1.png").write_bytes(b"1")
    change(place, lambda params: params["datasets"]["mnist"].update(kind="folder", path="mine"))
    level, message, fix = only(data.check_experiments())
    assert (level, message) == (NOTE, "datasets.mnist.path: neither git nor DVC tracks mine, so experiments lack it")
    assert fix.startswith("`dvc add mine && git add mine.dvc .gitignore` and commit, or name its full path")


def test_a_stand_in_at_hand_is_noted(place: Path) -> None:
    folder = place / "data/raw/mnist"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))
    (finding,) = data.check_sources(offline=True)
    assert (finding.level, finding.fix) == (NOTE, "dvc repro -f -s download@mnist")
