"""Checks of Python, its packages, and the programs that the pipeline calls: git and DVC."""

import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement

from vision_pipeline.cli.doctor.finding import Finding, note, ok, problem
from vision_pipeline.cli.pipeline.dvc import open_repository
from vision_pipeline.core.environment import INSTALL_COMMAND, code_root, find_checkout
from vision_pipeline.core.system import find_version_mismatches
from vision_pipeline.core.text import join_limited
from vision_pipeline.vcs.git import explain_missing_commit, git_or_empty
from vision_pipeline.vcs.line_ends import LINE_ENDS_FIX, describe_converted, find_converted_files

_LOCK_FILE, _PROJECT_FILE = Path("requirements.lock"), Path("pyproject.toml")
_TESTED_PYTHON = "3.11"
_MAX_NAMES = 5  # packages named in a line


def check_python() -> Iterator[Finding]:
    """Check that Python has the tested version."""
    version = platform.python_version()
    if version.startswith(f"{_TESTED_PYTHON}."):
        yield ok(f"Python {version}")
    else:
        yield note(
            f"Python {version}; the project is tested with {_TESTED_PYTHON}", f"python{_TESTED_PYTHON} -m venv .venv"
        )


def check_code() -> Iterator[Finding]:
    """Check that the code that runs is the installed checkout."""
    root, installed = code_root(), _find_installed_checkout()
    if installed == root or find_checkout() is None:
        yield ok(f"the code of {root} runs")
    else:
        installed_note = f"{installed} is installed in this environment" if installed else "none is installed"
        yield note(f"the code of {root} runs, because it is the checkout here; {installed_note}", INSTALL_COMMAND)


def _find_installed_checkout() -> Path | None:
    """Return the checkout that `pip install -e` has put into this environment, else the folder of the packages."""
    # without the checkout itself, which has the metadata of its build
    site_packages = [path for path in sys.path if path.endswith("-packages")]
    for distribution in distributions(name="vision-pipeline", path=site_packages):
        source = json.loads(distribution.read_text("direct_url.json") or "{}")
        if source.get("dir_info", {}).get("editable"):
            return Path(unquote(urlsplit(source["url"]).path)).resolve()
        return Path(str(distribution.locate_file(""))).resolve()
    return None


def check_packages() -> Iterator[Finding]:
    """Check the packages of requirements.lock: without those of pyproject.toml stages fail; others may change bits."""
    if not (_LOCK_FILE.exists() and _PROJECT_FILE.exists()):
        yield problem(f"{_LOCK_FILE} or {_PROJECT_FILE} is missing", "run from the repository's root")
        return
    mismatches = find_version_mismatches(_LOCK_FILE.read_text(encoding="utf-8"))
    required = {
        Requirement(requirement).name
        for requirement in tomllib.loads(_PROJECT_FILE.read_text())["project"]["dependencies"]
    }
    missing = [name for name, (_, installed) in mismatches.items() if installed is None]
    mismatch_lines = [
        f"{name} {installed} (locked: {locked})"
        for name, (locked, installed) in mismatches.items()
        if installed is not None
    ]
    fix = f"pip install -r {_LOCK_FILE}"
    if required_missing := [name for name in missing if name in required]:
        yield problem(f"missing: {join_limited(required_missing, _MAX_NAMES)}", fix)
    if optional := [name for name in missing if name not in required]:
        yield note(f"missing, and perhaps not needed: {join_limited(optional, _MAX_NAMES)}", fix)
    if mismatch_lines:
        versions = join_limited(mismatch_lines, _MAX_NAMES)
        yield note(f"other versions than in {_LOCK_FILE}: {versions}; results may differ in their last bits", fix)
    if not mismatches:
        yield ok(f"all are as in {_LOCK_FILE}")


def check_programs() -> Iterator[Finding]:
    """Check that `python` and `dvc` are this environment's: DVC runs the `python` that it finds on PATH."""
    env_bin = Path(sys.executable).parent.resolve()
    fix = f". {Path(sys.prefix) / 'bin' / 'activate'}"
    for name in ("python", "dvc"):
        location = shutil.which(name)
        if location is None:
            yield problem(f"`{name}` is not on PATH", fix)
        elif Path(location).parent.resolve() != env_bin:
            yield problem(f"`{name}` on PATH is {location}, not of this environment ({env_bin})", fix)
        else:
            yield ok(f"`{name}` is {location}")


def check_git() -> Iterator[Finding]:
    """Check that git is installed, and has a commit of this folder."""
    if missing := explain_missing_commit():
        yield problem(*missing)
        return
    yield ok(f"commit {git_or_empty('rev-parse', '--short', 'HEAD')}")


def check_line_ends() -> Iterator[Finding]:
    """Check that the files have the line ends here that they have in git."""
    if files := find_converted_files():
        yield problem(describe_converted(files), LINE_ENDS_FIX)
    else:
        yield ok("line ends are as in git")


def check_git_identity() -> Iterator[Finding]:
    """Check that git has a name and an address for commits, which every DVC experiment makes; DVC guesses none."""
    missing = [
        key for key in ("name", "email") if not (_is_in_environment(key) or git_or_empty("config", f"user.{key}"))
    ]
    if missing:
        fix = " && ".join(f"git config --global user.{key} ..." for key in missing)
        yield note(f"git has no user.{' and no user.'.join(missing)}, which experiments need (`dvc exp run`)", fix)
    else:
        yield ok("git knows who commits")


def _is_in_environment(key: str) -> bool:
    return all(os.environ.get(f"GIT_{who}_{key.upper()}") for who in ("AUTHOR", "COMMITTER"))


def check_dvc() -> Iterator[Finding]:
    """Check that DVC opens this repository; `open_repository` raises an error with the fix."""
    with open_repository():
        yield ok("the repository opens")
