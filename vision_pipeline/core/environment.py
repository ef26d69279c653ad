"""Which code and which Python run: the checkout of the code, the one in which the user stands, missing packages.

An environment has one installed checkout, and several checkouts may share the environment (worktrees, copies). Python
takes the working folder's code for `python -m`, but the installed one for a console command or with PYTHONSAFEPATH.
"""

import os
import re
import shlex
import sys
from pathlib import Path

import vision_pipeline
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import repo_root

_MARKER = "stages/train.py"  # a checkout has it, whatever its age
_CLI_MODULES = ("vision_pipeline.cli.main", "stages.commands.main")  # today's, and that of checkouts of before
_SHEBANG = re.compile(r"(/[^\n\"']*)/bin/python")  # a script's first lines name its environment
INSTALL_COMMAND = "pip install --no-deps --no-build-isolation -e ."


def code_root() -> Path:
    """Return the folder whose `vision_pipeline` package this process has imported."""
    return Path(vision_pipeline.__path__[0]).resolve().parent


def find_checkout() -> Path | None:
    """Return the checkout that holds the working folder, the innermost one; None outside of any."""
    cwd = Path.cwd()
    return next((folder for folder in (cwd, *cwd.parents) if (folder / _MARKER).is_file()), None)


def reexec_with_local_code() -> None:
    """Start the console command again with the code of the checkout in which the user stands, if that is another one.

    Child processes inherit PYTHONPATH, and `python -m` looks into their working folder first. A checkout of another
    user is not run: its owner could have put it above any shared folder. `raise_if_other_checkout` refuses what is left.
    """
    checkout, pythonpath = _find_other_checkout(), os.environ.get("PYTHONPATH", "")
    if checkout is None or checkout.stat().st_uid != os.getuid() or _is_first_in_pythonpath(checkout, pythonpath):
        return
    if (main := _main_module(checkout)) is None:
        return
    env = os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{pythonpath}".rstrip(os.pathsep)}
    command = [sys.executable, "-P", "-m", main, *sys.argv[1:]]
    os.execve(sys.executable, command, env)


def _main_module(checkout: Path) -> str | None:
    """Return the module of a checkout's console command; None where its library is missing."""
    return next((name for name in _CLI_MODULES if (checkout / f"{name.replace('.', '/')}.py").is_file()), None)


def _is_first_in_pythonpath(checkout: Path, pythonpath: str) -> bool:
    """Return whether PYTHONPATH asks for the code here already; a folder with a colon in its name it cannot hold."""
    return os.pathsep in str(checkout) or pythonpath.split(os.pathsep)[0] == str(checkout)


def raise_if_other_checkout() -> None:
    """Raise an error when the working folder is in one checkout and the code is another one's: results would be wrong.

    Raises:
        UserError: the message names both folders.
    """
    if checkout := _find_other_checkout():
        if not _main_module(checkout):
            fix = f"its library is missing: git -C {shlex.quote(str(checkout))} checkout -- vision_pipeline"
        elif "PYTHONSAFEPATH" in os.environ:
            fix = "unset PYTHONSAFEPATH"
        else:
            fix = f"cd {shlex.quote(str(checkout))} && {INSTALL_COMMAND}"
        raise UserError(
            f"{checkout} is a checkout, but the code of {code_root()} runs, whose results may differ; {fix}"
        )


def _find_other_checkout() -> Path | None:
    checkout = find_checkout()
    return (
        checkout if checkout and (checkout / "vision_pipeline").resolve() != code_root() / "vision_pipeline" else None
    )


def explain_missing_package(error: BaseException | None) -> str | None:
    """Return what happened and the fix when `error` is a package that is not installed; None for other errors."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    if package in sys.stdlib_module_names or package in ("stages", "vision_pipeline", "benchmarks"):
        return None
    return f"{sys.executable}, the Python that ran, has no package {package!r}; {_suggest_fix(repo_root() / '.venv')}"


def _suggest_fix(venv: Path) -> str:
    if Path(sys.prefix).resolve() == venv.resolve():
        return "pip install -r requirements.lock"
    if not (venv / "bin/activate").exists():
        return "set up and activate the environment: make setup && . .venv/bin/activate"
    if _is_moved(venv):
        return ".venv was made for another folder; rm -rf .venv && make setup && . .venv/bin/activate"
    return "activate the environment: . .venv/bin/activate"


def _is_moved(venv: Path) -> bool:
    """Return whether the environment was moved or copied after it was made: its scripts name the folder."""
    script = venv / "bin/pip"
    shebang = _SHEBANG.search(script.read_text(errors="replace")) if script.exists() else None
    return shebang is not None and not (Path(shebang[1]).exists() and venv.samefile(shebang[1]))
