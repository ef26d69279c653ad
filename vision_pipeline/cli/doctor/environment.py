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

from vision_pipeline.cli.doctor.finding import Finding, note, ok, problem
from vision_pipeline.cli.pipeline.dvc import open_repository
from vision_pipeline.core.environment import INSTALL_COMMAND, code_root, find_checkout
from vision_pipeline.core.system import find_version_mismatches
from vision_pipeline.vcs.git import explain_missing_commit, git_or_empty
from vision_pipeline.vcs.line_ends import LINE_ENDS_FIX, describe_converted, find_converted_files

_LOCK_FILE, _PROJECT_FILE = Path("requirements.lock"), Path("pyproject.toml")
_TESTED_PYTHON = "3.11"
_MAX_NAMES = 5  # packages


def check_python() -> Iterator[Finding]:
    """Whether it is the tested version."""
    version = platform.python_version()
    if version.startswith(f"{_TESTED_PYTHON}."):
        yield ok(f"Python {version}")
    else:
        yield note(
            f"Python {version}; the project is tested with {_TESTED_PYTHON}", f"python{_TESTED_PYTHON} -m venv .venv"
        )


def check_code() -> Iterator[Finding]:
    """Say which checkout's code runs, and whether the environment has another one installed."""
    root, installed = code_root(), _find_installed_checkout()
    if installed == root or find_checkout() is None:
        yield ok(f"the code of {root} runs")
    else:
        installed_note = f"{installed} is installed in this environment" if installed else "none is installed"
        yield note(f"the code of {root} runs, because it is the checkout here; {installed_note}", INSTALL_COMMAND)


def _find_installed_checkout() -> Path | None:
    """Return the checkout that `pip install -e` has put into this environment, else the folder of the packages."""
    site_packages = [
        path for path in sys.path if path.endswith("-packages")
    ]  # not the build's notes in the checkout itself
    for distribution in distributions(name="vision-pipeline", path=site_packages):
        source = json.loads(distribution.read_text("direct_url.json") or "{}")
        if source.get("dir_info", {}).get("editable"):
            return Path(unquote(urlsplit(source["url"]).path)).resolve()
        return Path(str(distribution.locate_file(""))).resolve()
    return None


def check_packages() -> Iterator[Finding]:
    """Those of requirements.lock: without what pyproject.toml names stages fail; others may change last bits."""
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
        yield problem(f"missing: {_format_names(required_missing)}", fix)
    if optional := [name for name in missing if name not in required]:
        yield note(f"missing, and perhaps not needed: {_format_names(optional)}", fix)
    if mismatch_lines:
        yield note(
            f"other versions than in {_LOCK_FILE}: {_format_names(mismatch_lines)}; results may differ in their last bits",
            fix,
        )
    if not mismatches:
        yield ok(f"all are as in {_LOCK_FILE}")


def _format_names(names: list[str]) -> str:
    more = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def check_programs() -> Iterator[Finding]:
    """`python` and `dvc`, which must be this environment's, for DVC runs the `python` that it finds on PATH."""
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
    """Whether git is there, and has a commit of this folder."""
    if missing := explain_missing_commit():
        yield problem(*missing)
        return
    result = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    yield ok(f"commit {result.stdout.strip()}")


def check_line_ends() -> Iterator[Finding]:
    """Whether the files have the line ends here that git has."""
    if files := find_converted_files():
        yield problem(describe_converted(files), LINE_ENDS_FIX)
    else:
        yield ok("line ends are as in git")


def check_git_identity() -> Iterator[Finding]:
    """Say whether git knows who commits, which every DVC experiment does; DVC guesses no name as git may."""
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
    """Say whether DVC opens this repository: `repository` refuses with the fix."""
    with open_repository():
        yield ok("the repository opens")
