"""`make` in a folder whose environment was made for another one, and its target of quick tests."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    """A folder with an environment that is set up, as far as `make` looks; its name needs quotes."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    root = tmp_path / "a folder"
    (root / ".venv/bin").mkdir(parents=True)
    for file in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(repository / file, root)
    (root / ".venv/bin/python").symlink_to(shutil.which("sh") or "")
    (root / ".venv/bin/pip").write_text(f'#!/bin/sh\n\'\'\'exec\' "{root.resolve()}/.venv/bin/python3.11" "$0" "$@"\n')
    (root / ".venv/.installed").touch()
    return root


def setup(folder: Path) -> tuple[int, str]:
    done = subprocess.run(["make", "setup"], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr.partition("\n")[0]


def test_an_environment_that_was_moved_or_copied_is_refused(folder: Path) -> None:
    assert setup(folder) == (0, "")
    copy, moved = folder.with_name("copy"), folder.with_name("moved")
    shutil.copytree(folder, copy, symlinks=True)
    line = f"ERROR: .venv was made for {folder.resolve()}/.venv, or its Python is gone; rm -rf .venv && make setup"
    assert setup(copy) == (2, line)
    folder.rename(moved)
    assert setup(moved) == (2, line)


def test_an_environment_whose_python_is_gone_is_refused(folder: Path) -> None:
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/gone/python3.11")
    assert setup(folder)[0] == 2


def test_an_environment_elsewhere_may_be_linked(folder: Path) -> None:
    real = folder.with_name("environment")
    (folder / ".venv").rename(real)
    (folder / ".venv").symlink_to(real)
    (real / "bin/pip").write_text(f"#!{real.resolve()}/bin/python\n")
    assert setup(folder) == (0, "")


def test_the_quick_tests_are_there_and_test_runs_them_too(repository: Path) -> None:
    """`make test` runs the whole folder tests/ and leaves out `slow` alone."""
    makefile = (repository / "Makefile").read_text()
    quick = makefile.partition("QUICK_TESTS := $(addprefix tests/,")[2].partition(")")[0].replace("\\\n", " ").split()
    assert len(quick) > 10
    assert [name for name in quick if not (repository / "tests" / name).exists()] == []
    options = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["testpaths"] == ["tests"] and "-m 'not slow'" in options["addopts"]
    assert "\n\t$(BIN)/python -m pytest\n" in makefile
