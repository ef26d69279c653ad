"""`vision check`: checks params.yaml, dvc.yaml, and whether better data can be had."""

import subprocess
from typing import Annotated

import typer

from vision_pipeline.cli.pipeline.dvc import dvc_command, dvc_env, open_repository
from vision_pipeline.cli.pipeline.obstacles import find_obstacles
from vision_pipeline.config.explain import explain_section, format_explanation
from vision_pipeline.config.load import PARAMS, load_params, parse_file, raise_if_unusable, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import RAW, WEIGHTS
from vision_pipeline.sources.availability import DataStatus, iter_data_status, iter_weight_status
from vision_pipeline.vcs.line_ends import LINE_ENDS_FIX, describe_converted, find_converted_files


def check(
    fix: Annotated[bool, typer.Option("--fix", help="Fetch anew what can now be had better.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no host, only DATA_MIRROR.")] = False,
    explain: Annotated[
        str, typer.Option("--explain", metavar="KEY", help="Print every value below a key, such as models.mnist-mlp.")
    ] = "",
) -> None:
    """Validate params.yaml and dvc.yaml, and compare the data at hand with what can be had.

    With --explain, print instead every effective value of a section with its meaning; a key that is left out is off.
    """
    if explain:
        typer.echo("\n".join([f"{explain}:", *format_explanation(explain_section(explain))]))
        return
    raise_if_unusable(params := parse_file(PARAMS, safe_load))
    sections = ("datasets", "policies", "backbones", "features", "generators", "models")
    values = dict(zip(sections, load_params(*sections), strict=True))
    stages = _count_stages()
    data = iter_data_status(values["datasets"], RAW, not offline)
    notices = [*data, *iter_weight_status(values["backbones"], WEIGHTS, not offline)]
    for notice in notices:
        logger.warning(str(notice))
    for obstacle in find_obstacles(params):
        typer.echo(f"note: {obstacle}")
    if fix:
        _fetch_better([notice for notice in notices if notice.better_available])
    if files := find_converted_files():
        logger.warning(f"{describe_converted(files)}; fix: {LINE_ENDS_FIX}")
    counts = ", ".join(f"{len(values[section])} {section}" for section in sections)
    typer.echo(f"OK: params.yaml is valid ({counts}) and dvc.yaml fits it ({stages} stages)")


def _count_stages() -> int:
    """Return the number of stages of dvc.yaml."""
    with open_repository() as repo:
        return len(repo.index.stages)


def _fetch_better(notices: list[DataStatus]) -> None:
    """Run the stages that fetch what can be had better.

    Raises:
        UserError: one of them failed.
    """
    if not notices:
        return
    args = ("repro", "-f", "-s", *(notice.stage for notice in notices))
    if subprocess.run(dvc_command(*args), env=dvc_env(), check=False).returncode:
        raise UserError(f"`dvc {' '.join(args)}` failed; what went wrong stands above")
