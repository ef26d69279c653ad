"""The checkout whose code runs, beside the checkout in which the user stands.

An environment has one installed checkout, and several checkouts may share the environment (worktrees, copies). Python
takes the working folder's code for `python -m`, but the installed one for a console command or with PYTHONSAFEPATH.
"""

import os
import shlex
import sys
from pathlib import Path

import stages
from stages.project.console import Refusal

_MAIN = Path("stages/commands/main.py")
INSTALL = "pip install --no-deps --no-build-isolation -e ."


def code_root() -> Path:
    """Return the folder whose `stages` package this process has imported."""
    return Path(stages.__path__[0]).resolve().parent


def checkout_here() -> Path | None:
    """Return the checkout that holds the working folder, the innermost one; None outside of any."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / _MAIN).is_file()), None)


def run_code_here() -> None:
    """Start the console command again with the code of the checkout in which the user stands, if that is another one.

    Child processes inherit PYTHONPATH, and `python -m` looks into their working folder first. A checkout of another
    user is not run: its owner could have put it above any shared folder. `refuse_other_code` refuses what is left.
    """
    here, paths = _other_checkout(), os.environ.get("PYTHONPATH", "")
    if here is None or here.stat().st_uid != os.getuid() or _is_first(here, paths):
        return
    environment = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{paths}".rstrip(os.pathsep)}
    command = [sys.executable, "-P", "-m", "stages.commands.main", *sys.argv[1:]]
    os.execve(sys.executable, command, environment)


def _is_first(here: Path, paths: str) -> bool:
    """Return whether PYTHONPATH asks for the code here already; a folder with a colon in its name it cannot hold."""
    return os.pathsep in str(here) or paths.split(os.pathsep)[0] == str(here)


def refuse_other_code() -> None:
    """Raise a refusal when the working folder is in one checkout and the code is another one's: results would be wrong.

    Raises:
        Refusal: the message names both folders.
    """
    if here := _other_checkout():
        fix = "unset PYTHONSAFEPATH" if "PYTHONSAFEPATH" in os.environ else f"cd {shlex.quote(str(here))} && {INSTALL}"
        raise Refusal(f"{here} is a checkout, but the code of {code_root()} runs, whose results may differ; {fix}")


def _other_checkout() -> Path | None:
    here = checkout_here()
    return here if here and (here / "stages").resolve() != code_root() / "stages" else None
