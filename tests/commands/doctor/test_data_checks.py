"""What `vision doctor` says of params.yaml and of where data come from."""

import json
from pathlib import Path

import pytest
from checking import change

from stages.commands.doctor_checks import data
from stages.commands.doctor_checks.finding import NOTE, PROBLEM


def test_data_that_cannot_be_had(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edit(params: dict) -> None:
        params["datasets"]["mnist"]["source"] = "mirror"
        params["datasets"]["hello"] |= {"kind": "text", "path": "gone.txt"}

    change(place, edit)
    monkeypatch.setattr(data, "better_source", lambda name, *rest: "official" if name == "cifar10" else None)
    found = [(one.level, one.about) for one in data.sources(offline=False)]
    assert (PROBLEM, "mnist: neither DATA_MIRROR nor a host has it, and datasets.mnist.source is 'mirror'") in found
    assert (PROBLEM, "gone.txt, where hello is to come from, is not there") in found
    nowhere = "cats_dogs: neither DATA_MIRROR nor a host has it, so a small stand-in is drawn, where there is one"
    assert (NOTE, nowhere) in found
    assert not any("cifar10" in about for _, about in found)


def test_a_stand_in_at_hand_is_noted(place: Path) -> None:
    folder = place / "data/raw/mnist"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))
    (found,) = data.sources(offline=True)
    assert (found.level, found.fix) == (NOTE, "dvc repro -f -s download@mnist")
