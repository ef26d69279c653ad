"""Python, its packages and the programs that the pipeline calls."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from stages.commands.doctor_checks.finding import Finding, note, ok, problem
from stages.commands.pipeline.commit import missing_commit
from stages.commands.pipeline.dvc import repository
from stages.commands.pipeline.line_ends import FIX, converted, converted_files
from stages.project.checkout import INSTALL, checkout_here, code_root
from stages.project.requirements import other_versions
from stages.tracking.git import git

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


def code() -> Iterator[Finding]:
    """Say which checkout's code runs, and whether the environment has another one installed."""
    root, installed = code_root(), _installed()
    if installed == root or checkout_here() is None:
        yield ok(f"the code of {root} runs")
    else:
        where = f"{installed} is installed in this environment" if installed else "none is installed"
        yield note(f"the code of {root} runs, because it is the checkout here; {where}", INSTALL)


def _installed() -> Path | None:
    """Return the checkout that `pip install -e` has put into this environment, else the folder of the packages."""
    packages = [path for path in sys.path if path.endswith("-packages")]  # not the build's notes in the checkout itself
    for one in distributions(name="vision-pipeline", path=packages):
        source = json.loads(one.read_text("direct_url.json") or "{}")
        if source.get("dir_info", {}).get("editable"):
            return Path(unquote(urlsplit(source["url"]).path)).resolve()
        return Path(str(one.locate_file(""))).resolve()
    return None


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


def identity() -> Iterator[Finding]:
    """Say whether git knows who commits, which every DVC experiment does; DVC guesses no name as git may."""
    missing = [key for key in ("name", "email") if not (_in_environment(key) or git("config", f"user.{key}"))]
    if missing:
        fix = " && ".join(f"git config --global user.{key} ..." for key in missing)
        yield note(f"git has no user.{' and no user.'.join(missing)}, which experiments need (`dvc exp run`)", fix)
    else:
        yield ok("git knows who commits")


def _in_environment(key: str) -> bool:
    return all(os.environ.get(f"GIT_{who}_{key.upper()}") for who in ("AUTHOR", "COMMITTER"))


def dvc_repository() -> Iterator[Finding]:
    """Say whether DVC opens this repository: `repository` refuses with the fix."""
    with repository():
        yield ok("the repository opens")
