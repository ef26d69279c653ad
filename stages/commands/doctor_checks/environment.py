"""Python, its packages and the programs that the pipeline calls."""

import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from stages.commands.doctor_checks.finding import Finding, note, ok, problem
from stages.commands.pipeline.commit import missing_commit
from stages.commands.pipeline.line_ends import FIX, converted, converted_files
from stages.project.requirements import other_versions

_LOCK, _PROJECT = Path("requirements.lock"), Path("pyproject.toml")
_TESTED = "3.11"
_SHOWN = 5  # packages


def python() -> Iterator[Finding]:
    """Whether it is the tested version."""
    here = platform.python_version()
    if here.startswith(f"{_TESTED}."):
        yield ok(f"Python {here}")
    else:
        yield note(f"Python {here}; the project is tested with {_TESTED}", f"python{_TESTED} -m venv .venv")


def packages() -> Iterator[Finding]:
    """Those of requirements.lock: without what pyproject.toml names stages fail; others may change last bits."""
    if not (_LOCK.exists() and _PROJECT.exists()):
        yield problem(f"{_LOCK} or {_PROJECT} is missing", "run from the repository's root")
        return
    found = other_versions(_LOCK.read_text(encoding="utf-8"))
    needed = {Requirement(one).name for one in tomllib.loads(_PROJECT.read_text())["project"]["dependencies"]}
    missing = [name for name, (_, here) in found.items() if here is None]
    others = [f"{name} {here} (locked: {wanted})" for name, (wanted, here) in found.items() if here is not None]
    fix = f"pip install -r {_LOCK}"
    if fatal := [name for name in missing if name in needed]:
        yield problem(f"missing: {_few(fatal)}", fix)
    if rest := [name for name in missing if name not in needed]:
        yield note(f"missing, and perhaps not needed: {_few(rest)}", fix)
    if others:
        yield note(f"other versions than in {_LOCK}: {_few(others)}; results may differ in their last bits", fix)
    if not found:
        yield ok(f"all are as in {_LOCK}")


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def programs() -> Iterator[Finding]:
    """`python` and `dvc`, which must be this environment's, for DVC runs the `python` that it finds on PATH."""
    own = Path(sys.executable).parent.resolve()
    fix = f". {Path(sys.prefix) / 'bin' / 'activate'}"
    for name in ("python", "dvc"):
        found = shutil.which(name)
        if found is None:
            yield problem(f"`{name}` is not on PATH", fix)
        elif Path(found).parent.resolve() != own:
            yield problem(f"`{name}` on PATH is {found}, not of this environment ({own})", fix)
        else:
            yield ok(f"`{name}` is {found}")


def git_repository() -> Iterator[Finding]:
    """Whether git is there, and has a commit of this folder."""
    if missing := missing_commit():
        yield problem(*missing)
        return
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    yield ok(f"commit {asked.stdout.strip()}")


def line_ends() -> Iterator[Finding]:
    """Whether the files have the line ends here that git has."""
    if files := converted_files():
        yield problem(converted(files), FIX)
    else:
        yield ok("line ends are as in git")
