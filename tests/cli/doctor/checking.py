"""What the tests of `vision doctor` share beside its place."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from ruamel.yaml import YAML

from vision_pipeline.cli.doctor.finding import Finding


def only(check: Iterator[Finding]) -> tuple[str, str, str]:
    """Of the one thing that a check finds, level, what is so and the fix."""
    (found,) = check
    return found.level, found.message, found.fix


def change(root: Path, edit: Callable[[dict], object]) -> None:
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    edit(params)
    yaml.dump(params, root / "params.yaml")


def dead_process() -> int:
    """The number of a process that has been."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid
