"""What tests of a repository share: git, and a folder in which the stages train a model of params.yaml in a moment."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

IDENTITY = ("-c", "user.name=A tester", "-c", "user.email=tester@example.com")
NOTHING = ("augmented/none", "synthetic/none", "weights/none")


def git(*arguments: str, cwd: Path | None = None) -> str:
    """What git answers, as somebody with a name."""
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout.strip()


def write_nothing(root: Path, repository: Path) -> None:
    """The policy, the made images and the weights that a model without any of them has."""
    for nothing in NOTHING:
        shutil.copytree(repository / "data" / nothing, root / "data" / nothing)


def write_params(root: Path, repository: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The repository's params.yaml, for one thread of the CPU, after `change` has changed them."""
    params = YAML().load(repository / "params.yaml")
    params.update(device="cpu", threads=1)
    change(params)
    YAML().dump(params, root / "params.yaml")
