"""Whether git has a commit of the folder here, which experiments and comparisons begin from."""

import os
import subprocess
from pathlib import Path

from stages.project.console import Refusal

_COMMIT = "git add -A && git commit -m 'As downloaded'"
_INIT = f"git init && {_COMMIT}"


def missing_commit() -> tuple[str, str] | None:
    """Return what stands in the way and the fix; None where git's last commit has this folder's dvc.yaml."""
    try:
        answer = subprocess.run(
            ["git", "ls-tree", "HEAD", "--", "dvc.yaml"],
            env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return "git is not on PATH", "install it, as by `apt install git`"
    if "not a git repository" in answer.stderr:
        return no_repository()
    if "Not a valid object name HEAD" in answer.stderr:
        return "the git repository has no commit yet", _COMMIT
    if answer.returncode:
        return f"git: {' '.join(answer.stderr.split())}", "work in a clone of your own"
    if Path("dvc.yaml").exists() and not answer.stdout:
        here = f"{Path.cwd()} is not in the last commit of the git repository that it lies in"
        return here, f"`{_COMMIT}` there, or make it a repository of its own: {_INIT}"
    return None


def no_repository() -> tuple[str, str]:
    """Return what to say of a folder without `.git`, and the fix."""
    return f"{Path.cwd()} is no git repository, as when it was downloaded as a ZIP file", _INIT


def refuse_without_commit() -> None:
    """Let pass a folder of which git has a commit.

    Raises:
        Refusal: it has none; the message names the fix.
    """
    if missing := missing_commit():
        raise Refusal("; fix: ".join(missing))
