"""`vision check`: is params.yaml right, does dvc.yaml fit it, and is the data the best that can be had?"""

import subprocess
from typing import Annotated

import typer

from stages.commands.pipeline.copies import obstacles
from stages.commands.pipeline.dvc import command, environment, repository
from stages.commands.pipeline.line_ends import FIX, converted, converted_files
from stages.params import load
from stages.params.load import PARAMS, parsed, refuse_unusable
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal, say, warn
from stages.project.paths import RAW, WEIGHTS
from stages.sources.notices import Notice, data_notices, weight_notices


def check(
    fix: Annotated[bool, typer.Option("--fix", help="Fetch anew what can now be had better.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no host, only DATA_MIRROR.")] = False,
) -> None:
    """Validate params.yaml and dvc.yaml, and compare the data at hand with what can be had."""
    refuse_unusable(params := parsed(PARAMS, read_yaml))
    sections = ("datasets", "policies", "backbones", "features", "generators", "models")
    values = dict(zip(sections, load(*sections), strict=True))
    stages = _stages()
    data = data_notices(values["datasets"], RAW, not offline)
    notices = [*data, *weight_notices(values["backbones"], WEIGHTS, not offline)]
    for notice in notices:
        warn(str(notice))
    for obstacle in obstacles(params):
        say(f"note: {obstacle}")
    if fix:
        _fetch([notice for notice in notices if notice.better])
    if files := converted_files():
        warn(f"{converted(files)}; fix: {FIX}")
    counts = ", ".join(f"{len(values[section])} {section}" for section in sections)
    say(f"OK: params.yaml is valid ({counts}) and dvc.yaml fits it ({stages} stages)")


def _stages() -> int:
    """The number of stages of dvc.yaml."""
    with repository() as repo:
        return len(repo.index.stages)


def _fetch(better: list[Notice]) -> None:
    """Run the stages that fetch."""
    if not better:
        return
    asked = ("repro", "-f", "-s", *(notice.stage for notice in better))
    if subprocess.run(command(*asked), env=environment(), check=False).returncode:
        raise Refusal(f"`dvc {' '.join(asked)}` failed; what went wrong stands above")
