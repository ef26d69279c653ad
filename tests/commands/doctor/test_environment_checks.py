"""What `vision doctor` says of Python, packages and git."""

import sys
from pathlib import Path

import pytest
from checking import only

from stages.commands.doctor_checks import environment
from stages.commands.doctor_checks.finding import NOTE, PROBLEM


def test_another_python_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.14.0")
    assert only(environment.python())[0] == NOTE


def test_packages_that_are_missing_or_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"torch": ("2.0", None), "types-x": ("1", None), "numpy": ("1.0", "2.0")}
    monkeypatch.setattr(environment, "other_versions", lambda lock: found)
    told = [(one.level, one.about) for one in environment.packages()]
    assert told == [
        (PROBLEM, "missing: torch"),
        (NOTE, "missing, and perhaps not needed: types-x"),
        (
            NOTE,
            "other versions than in requirements.lock: numpy 2.0 (locked: 1.0); results may differ in their last bits",
        ),
    ]


def test_the_python_of_another_environment_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = place / "bin"
    other.mkdir()
    (other / "python").write_text("#!/bin/sh\n")
    (other / "python").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    python, dvc = environment.programs()
    assert python.level == dvc.level == PROBLEM
    assert f"`python` on PATH is {other}/python" in python.about and python.fix == f". {sys.prefix}/bin/activate"
    assert dvc.about == "`dvc` is not on PATH"
    assert only(environment.git_repository())[1] == "git is not on PATH"


def test_a_folder_that_is_no_repository_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    level, about, _ = only(environment.git_repository())
    assert level == PROBLEM and "not a git repository" in about
