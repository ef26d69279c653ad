"""What `vision doctor` says of Python, packages and git."""

import json
import os
import sys
from pathlib import Path

import pytest
from doctor_checks import only
from tiny_project import git
from typer.testing import CliRunner

from vision_pipeline.cli.doctor import environment
from vision_pipeline.cli.doctor.finding import NOTE, OK, PROBLEM
from vision_pipeline.cli.main import app


def test_another_python_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.14.0")
    assert only(environment.check_python())[0] == NOTE


def test_packages_that_are_missing_or_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mismatches = {"torch": ("2.0", None), "types-x": ("1", None), "numpy": ("1.0", "2.0")}
    monkeypatch.setattr(environment, "find_version_mismatches", lambda lock: mismatches)
    findings = [(finding.level, finding.message) for finding in environment.check_packages()]
    assert findings == [
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
    python, dvc = environment.check_programs()
    assert python.level == dvc.level == PROBLEM
    assert f"`python` on PATH is {other}/python" in python.message and python.fix == f". {sys.prefix}/bin/activate"
    assert dvc.message == "`dvc` is not on PATH"
    assert only(environment.check_git())[1] == "git is not on PATH"


def test_a_folder_that_is_no_repository_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    level, message, fix = only(environment.check_git())
    assert level == PROBLEM and message == f"{tmp_path} is no git repository, as when it was downloaded as a ZIP file"
    assert fix.startswith("git init && git add -A && git commit")


def test_files_that_git_converted_are_a_problem(place: Path) -> None:
    assert only(environment.check_line_ends())[0] == OK
    for name in ("params.yaml", "pyproject.toml"):
        path = place / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    level, message, fix = only(environment.check_line_ends())
    assert level == PROBLEM and message.startswith("params.yaml and 1 more have the line ends CRLF here, LF in git")
    assert fix.startswith("git config core.autocrlf false && git rm -rq --cached . && git reset -q --hard")


def _install(folder: Path, source: str, editable: bool) -> None:
    """Write what pip notes of an installed checkout."""
    notes = folder / "vision_pipeline-0.1.0.dist-info"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / "METADATA").write_text("Name: vision-pipeline\nVersion: 0.1.0\n")
    message = {"url": Path(source).as_uri(), "dir_info": {"editable": True} if editable else {}}
    (notes / "direct_url.json").write_text(json.dumps(message))


def test_another_installed_checkout_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    packages = tmp_path / "site-packages"
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "path", [str(packages)])
    _install(packages, str(repository), editable=True)
    assert only(environment.check_code()) == (OK, f"the code of {repository} runs", "")
    _install(packages, "/another/check out", editable=True)
    level, message, fix = only(environment.check_code())
    assert (level, fix) == (NOTE, "pip install --no-deps --no-build-isolation -e .")
    assert message.endswith("; /another/check out is installed in this environment")
    _install(packages, "/another", editable=False)
    assert f"; {packages} is installed in" in only(environment.check_code())[1]
    monkeypatch.setattr(sys, "path", [])
    assert only(environment.check_code())[1].endswith("; none is installed")


def test_git_without_a_name_is_noted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(variable, os.devnull)
    assert only(environment.check_git_identity())[0] == OK
    git("config", "--unset", "user.email")
    level, message, fix = only(environment.check_git_identity())
    assert level == NOTE and message.startswith("git has no user.email, which experiments need")
    assert fix == "git config --global user.email ..."
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.com")
    assert only(environment.check_git_identity())[0] == OK


def test_a_repository_that_dvc_cannot_open_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(place / "params.yaml"))
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert f"PROBLEM  DVC         DVC's site cache {place}/params.yaml cannot be used by this user" in done.output
