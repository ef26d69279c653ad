"""Which Python and which checkout's code run here, and the fix where these are the wrong ones.

An environment has one installed checkout, and several checkouts may share the environment (worktrees, copies). Python
takes the working folder's code for `python -m`, but the installed one for a console command or with PYTHONSAFEPATH.

This module imports no third-party package, because it explains which one is missing.
"""

import os
import re
import shlex
import sys
from pathlib import Path

import vision_pipeline
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root

INSTALL_COMMAND = "pip install --no-deps --no-build-isolation -e ."
_MARKER = "stages/train.py"  # every checkout has this file, whatever its age
_CLI_MODULE = "vision_pipeline.cli.main"
_OLD_CLI_MODULE = "stages.commands.main"  # in checkouts whose library is in stages/
_SHEBANG = re.compile(r"(/[^\n\"']*)/bin/python")  # a script's first lines name its environment


def code_root() -> Path:
    """Return the folder whose `vision_pipeline` package this process has imported."""
    return Path(vision_pipeline.__path__[0]).resolve().parent


def find_checkout() -> Path | None:
    """Return the innermost checkout that contains the working folder; None outside of any checkout."""
    cwd = Path.cwd()
    return next((folder for folder in (cwd, *cwd.parents) if (folder / _MARKER).is_file()), None)


def reexec_with_local_code() -> None:
    """Start the console command again with the code of the checkout in which the user stands, if that is another one.

    Child processes inherit PYTHONPATH, and `python -m` looks into their working folder first. Code of another user's
    checkout is not run, because its owner could have put it above any shared folder. `raise_if_other_checkout` refuses
    the checkouts for which this function does nothing.
    """
    checkout = _find_other_checkout()
    if checkout is None or checkout.stat().st_uid != os.getuid():
        return
    module, pythonpath = _find_cli_module(checkout), os.environ.get("PYTHONPATH", "")
    was_tried = module == _CLI_MODULE and pythonpath.split(os.pathsep)[0] == str(checkout)
    if module is None or was_tried or os.pathsep in str(checkout):  # PYTHONPATH cannot hold a name with a colon
        return
    logger.debug(f"starting {module} of {checkout} in place of {code_root()}")
    env = os.environ | {"PYTHONPATH": f"{checkout}{os.pathsep}{pythonpath}".rstrip(os.pathsep)}
    command = [sys.executable, "-P", "-m", module, *sys.argv[1:]]
    os.execve(sys.executable, command, env)


def raise_if_other_checkout() -> None:
    """Refuse to work in one checkout with the code of another one, whose results may differ.

    Raises:
        UserError: the message names both folders and the fix.
    """
    if checkout := _find_other_checkout():
        raise UserError(
            f"{checkout} is a checkout, but the code of {code_root()} runs, whose results may differ; "
            f"{_suggest_code_fix(checkout)}"
        )


def _suggest_code_fix(checkout: Path) -> str:
    folder = shlex.quote(str(checkout))
    if _find_cli_module(checkout) is None:
        return f"its library is missing: git -C {folder} checkout -- vision_pipeline"
    return "unset PYTHONSAFEPATH" if "PYTHONSAFEPATH" in os.environ else f"cd {folder} && {INSTALL_COMMAND}"


def _find_cli_module(checkout: Path) -> str | None:
    """Return the module of the command `vision` in a checkout; None where its library is missing."""
    modules = (_CLI_MODULE, _OLD_CLI_MODULE)
    return next((name for name in modules if (checkout / f"{name.replace('.', '/')}.py").is_file()), None)


def _find_other_checkout() -> Path | None:
    """Return the checkout in which the user stands if the library of another one runs."""
    checkout = find_checkout()
    if checkout is None or (checkout / "vision_pipeline").resolve() == code_root() / "vision_pipeline":
        return None
    return checkout


def explain_missing_package(error: BaseException | None) -> str | None:
    """Return a line with the missing package and the fix, which mostly is to activate the environment.

    Args:
        error: any exception; None is returned for those that are not of a package that is not installed.
    """
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
    """Return whether the environment was moved or copied after it was made; its scripts name the first folder."""
    script = venv / "bin/pip"
    shebang = _SHEBANG.search(script.read_text(errors="replace")) if script.exists() else None
    return shebang is not None and not (Path(shebang[1]).exists() and venv.samefile(shebang[1]))
