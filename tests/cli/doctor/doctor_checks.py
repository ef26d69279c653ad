"""Helpers of the tests of `vision doctor`."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from ruamel.yaml import YAML

from vision_pipeline.cli.doctor.finding import Finding


def only(check: Iterator[Finding]) -> tuple[str, str, str]:
    """Return level, message and fix of the only finding of a check."""
    (finding,) = check
    return finding.level, finding.message, finding.fix


def change(root: Path, edit: Callable[[dict], object]) -> None:
    """Change params.yaml in `root`."""
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    edit(params)
    yaml.dump(params, root / "params.yaml")


def dead_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid
