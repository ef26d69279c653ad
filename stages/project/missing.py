"""The line that is printed when Python lacks a package: mostly, the environment is not active."""

import re
import sys
from pathlib import Path

from stages.project.paths import home

_SCRIPT_OF = re.compile(r"(/[^\n\"']*)/bin/python")  # a script's first lines name its environment


def missing_package(error: BaseException | None) -> str | None:
    """Return what happened and the fix when `error` is a package that is not installed; None for other errors."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    if package in sys.stdlib_module_names or package in ("stages", "benchmarks"):
        return None
    return f"{sys.executable}, the Python that ran, has no package {package!r}; {_fix(home() / '.venv')}"


def _fix(venv: Path) -> str:
    if Path(sys.prefix).resolve() == venv.resolve():
        return "pip install -r requirements.lock"
    if not (venv / "bin/activate").exists():
        return "set up and activate the environment: make setup && . .venv/bin/activate"
    if _is_elsewhere(venv):
        return ".venv was made for another folder; rm -rf .venv && make setup && . .venv/bin/activate"
    return "activate the environment: . .venv/bin/activate"


def _is_elsewhere(venv: Path) -> bool:
    """Return whether the environment was moved or copied after it was made: its scripts name the folder."""
    script = venv / "bin/pip"
    named = _SCRIPT_OF.search(script.read_text(errors="replace")) if script.exists() else None
    return named is not None and not (Path(named[1]).exists() and venv.samefile(named[1]))
