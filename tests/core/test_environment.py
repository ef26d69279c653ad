"""Several checkouts share an environment, in which one is installed: each is used with its own code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_project import git

from vision_pipeline.core import environment
from vision_pipeline.core.environment import raise_if_other_checkout, reexec_with_local_code
from vision_pipeline.core.errors import UserError

# the script that pip makes of `vision`, in an environment with the first argument's checkout
_VISION = "import sys; sys.path.insert(0, sys.argv.pop(1)); from vision_pipeline.cli.main import run; run()"


@pytest.fixture
def other(tmp_path: Path, repository: Path) -> Path:
    """A checkout whose help and whose stage `check` write other words than those of the repository."""
    root = tmp_path / "other"
    for folder in ("stages", "vision_pipeline"):
        shutil.copytree(repository / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(repository / "data/catalog", root / "data/catalog")
    shutil.copy(repository / "params.yaml", root)
    for file, words in (
        ("vision_pipeline/cli/main.py", "What stands beside"),
        ("stages/check.py", "params.yaml is valid"),
    ):
        path = root / file
        path.write_text(path.read_text().replace(words, "The other"))
    return root


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DVC_ROOT", "DATA_MIRROR")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment | variables, capture_output=True, text=True
    )


@pytest.mark.parametrize("folder", [".", "vision_pipeline/cli"])
@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}])
def test_vision_runs_the_code_of_the_checkout_it_is_called_in(
    other: Path, repository: Path, folder: str, variables: dict[str, str]
) -> None:
    done = run(other / folder, "-P", "-c", _VISION, str(repository), "--help", **variables)
    assert done.returncode == 0, done.stderr
    assert "The other" in done.stdout and "Usage: vision" in done.stdout
    assert "The other" not in run(other.parent, "-P", "-c", _VISION, str(repository), "--help").stdout


def test_what_vision_starts_runs_that_code_too(other: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.chdir(other)
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setattr(environment.os, "execve", lambda *called: started.append(called))
    reexec_with_local_code()
    ((_, _, variables),) = started
    assert variables["PYTHONPATH"] == os.pathsep.join([str(other), str(repository)])


def test_a_stage_runs_the_code_of_its_working_folder(other: Path, repository: Path) -> None:
    """A throw-away copy of DVC's, started by a command that was told another checkout."""
    done = run(other, "-m", "stages.check", PYTHONPATH=str(repository))
    assert done.returncode == 0, done.stderr
    assert (other / "data/checked").read_text() == "The other\n"


def test_a_stage_refuses_the_code_of_another_checkout(other: Path, repository: Path) -> None:
    done = run(other, "-m", "stages.check", PYTHONPATH=str(repository), PYTHONSAFEPATH="1")
    assert done.returncode == 1
    assert done.stderr == (
        f"ERROR: {other} is a checkout, but the code of {repository} runs, whose results may differ; "
        "unset PYTHONSAFEPATH\n"
    )
    assert not (other / "data/checked").exists()


def test_a_checkout_without_its_library_is_refused(other: Path, repository: Path) -> None:
    shutil.rmtree(other / "vision_pipeline")
    done = run(other, "-m", "stages.check", PYTHONPATH=str(repository))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"ERROR: {other} is a checkout, but the code of {repository} runs, whose results may differ; "
        f"its library is missing: git -C {other} checkout -- vision_pipeline\n"
    )
    done = run(other, "-c", _VISION, str(repository), "check")
    assert f"ERROR: {other} is a checkout, but the code of {repository} runs" in done.stderr


def test_a_library_of_another_version_is_refused_before_a_stage_imports_it(other: Path, tmp_path: Path) -> None:
    shutil.rmtree(other / "vision_pipeline")
    library = tmp_path / "newer"
    (library / "vision_pipeline").mkdir(parents=True)
    (library / "vision_pipeline/__init__.py").touch()
    done = run(other, "-m", "stages.check", PYTHONPATH=str(library))
    assert done.returncode == 1
    assert done.stderr.startswith(f"ERROR: {other} is a checkout, but the code of {library} runs, ")
    assert done.stderr.count("\n") == 1


def test_the_fix_brings_the_library_back(other: Path, repository: Path) -> None:
    for command in (["init", "-q"], ["add", "vision_pipeline", "stages"], ["commit", "-qm", "A start"]):
        git(*command, cwd=other)
    shutil.rmtree(other / "vision_pipeline")
    error = run(other, "-m", "stages.check", PYTHONPATH=str(repository)).stderr
    subprocess.run(error.rpartition("its library is missing: ")[2], shell=True, check=True)
    assert run(other, "-m", "stages.check", PYTHONPATH=str(repository)).returncode == 0


def test_stages_without_any_library_name_the_fix(other: Path) -> None:
    shutil.rmtree(other / "vision_pipeline")
    code = "import sys; sys.modules['vision_pipeline'] = None; import stages"
    done = run(other, "-c", code)
    assert done.stderr == (
        "ERROR: the folder vision_pipeline/ is missing beside stages/; git checkout -- vision_pipeline\n"
    )


def test_a_checkout_of_before_runs_its_own_command(other: Path, repository: Path) -> None:
    """Its library was in stages/, its command stages.commands.main."""
    shutil.rmtree(other / "vision_pipeline")
    (other / "stages/__init__.py").write_text("")
    (other / "stages/commands").mkdir()
    (other / "stages/commands/main.py").write_text("print('the old command')")
    for pythonpath in ({}, {"PYTHONPATH": str(other)}):
        assert run(other, "-c", _VISION, str(repository), "check", **pythonpath).stdout == "the old command\n"


def test_a_link_to_the_code_is_the_same_code(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("stages", "vision_pipeline"):
        (tmp_path / folder).symlink_to(repository / folder)
    monkeypatch.chdir(tmp_path)
    assert raise_if_other_checkout() is None


@pytest.fixture
def never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def starts(*called: object) -> None:
        raise AssertionError(called)

    monkeypatch.setattr(environment.os, "execve", starts)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)


def test_a_checkout_of_another_user_is_refused(
    other: Path, never_started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other)
    monkeypatch.setattr(environment.os, "getuid", lambda: other.stat().st_uid + 1)
    reexec_with_local_code()
    with pytest.raises(UserError, match=f"cd {other} && pip install --no-deps --no-build-isolation -e ."):
        raise_if_other_checkout()


def test_a_checkout_that_pythonpath_cannot_hold_is_refused(
    other: Path, never_started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other.rename(other.with_name("a:b")))
    reexec_with_local_code()
    with pytest.raises(UserError, match="a:b is a checkout, but the code of "):
        raise_if_other_checkout()


def test_tests_run_the_code_beside_them_in_every_folder(tmp_path: Path, repository: Path) -> None:
    assert environment.code_root() == repository
    done = subprocess.run(
        [sys.executable, "-c", "import vision_pipeline; print(vision_pipeline.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{repository}/vision_pipeline/__init__.py\n"
