"""`vision plan`: the stages that `vision repro`, or an experiment, would run, the reasons, and the time.

It is a forecast. Times are those of past runs on this machine, of any data, network and load, without DVC's own work;
only the number of epochs is taken into account. A stage that DVC has in its run cache, or whose inputs turn out to be
the same, does not run after all. The effect of other params is computed by DVC itself, which reads them instead of
params.yaml: nothing in the workspace is touched.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from vision_pipeline.cli.pipeline.dvc import open_repository, stage_graph
from vision_pipeline.cli.pipeline.schedule import (
    Graph,
    default_jobs,
    estimate_seconds,
    format_duration,
    simulate_makespan,
    stale_subgraph,
)
from vision_pipeline.config.effective import fill_defaults_at
from vision_pipeline.config.load import PARAMS, list_validation_errors, parse_file, raise_if_unusable, safe_load
from vision_pipeline.core.dicts import diff_dicts
from vision_pipeline.core.errors import ConfigError, UserError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.core.text import format_value, join_limited
from vision_pipeline.core.timings import load_timings

_MAX_REASONS = 2  # reasons of a stage
_CHANGE_KINDS = ("changed deps", "changed outs")
_FILE_STATES = {"deleted": "is missing", "not in cache": "is missing"}
_ABSENT_KEY_FIX = " It is not in the file; two plus signs set a key that is left out: ++"


def plan(
    set_param: Annotated[
        list[str] | None, typer.Option("--set-param", "-S", help="KEY=VALUE, as `dvc exp run -S` takes it.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once; else as many as cores and GPUs serve.")
    ] = None,
) -> None:
    """Say which stages would run, why, and how long they would take; run none."""
    jobs = jobs or default_jobs()
    params = override_params(set_param) if set_param else None
    epochs = _count_epochs(params)
    graph, reasons = stale_stages(params)
    if not graph:
        typer.echo("everything is up to date")
        return
    past_runs = load_timings()
    estimates = {stage: estimate_seconds(past_runs.get(stage, []), epochs.get(stage)) for stage in graph}
    seconds_by_stage = {stage: seconds for stage, seconds in estimates.items() if seconds is not None}
    width = max(map(len, graph))
    for stage in graph:
        duration = format_duration(seconds_by_stage[stage]) if stage in seconds_by_stage else "no past run here"
        typer.echo(f"{stage:{width}}  {duration:>16}  {reasons[stage]}")
    if not seconds_by_stage:
        typer.echo(f"{len(graph)} stages, none of which ran here before: nothing tells how long they take")
        return
    at_least = "at least " if len(seconds_by_stage) < len(graph) else ""
    typer.echo(
        f"{len(graph)} stages: {at_least}{format_duration(sum(seconds_by_stage.values()))} one after the other, "
        f"{at_least}{format_duration(simulate_makespan(graph, seconds_by_stage, jobs))} with --jobs {jobs}"
    )


def _count_epochs(params: bytes | None) -> dict[str, int]:
    """Return by training stage the number of its epochs, of all seeds together.

    Raises:
        ConfigError: the params are not valid, or name a path that does not exist.
    """
    values = safe_load(params.decode()) if params else parse_file(PARAMS, safe_load)
    raise_if_unusable(values)
    return {
        f"train@{name}": model["train"]["epochs"] * len(model.get("seeds") or [None])
        for name, model in values["models"].items()
        if "epochs" in model["train"]
    }


def override_params(settings: Sequence[str]) -> bytes:
    """Return the content of params.yaml with other settings.

    Args:
        settings: settings in the form of `dvc exp run --set-param`.

    Raises:
        UserError: a setting has not that form, or cannot be set.
        ConfigError: the params would not be valid.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    with TemporaryDirectory() as folder:
        copy = Path(folder) / PARAMS.name
        write_bytes(copy, parse_file(PARAMS, str.encode))
        try:
            apply_overrides(copy, list(settings))
        except (DvcException, ValueError) as error:
            reason = str(error.__cause__ or error).replace("\nTo append to your config use +", _ABSENT_KEY_FIX)
            raise UserError(f"--set-param: {' '.join(settings)}: {reason}") from error
        if errors := list_validation_errors(copy):
            raise ConfigError("params.yaml would not be valid:\n  " + "\n  ".join(errors))
        return copy.read_bytes()


def stale_stages(params: bytes | None = None) -> tuple[Graph, dict[str, str]]:
    """Return the stages that would run, each with those of them that it depends on, and the reasons by stage.

    A stage that always runs, such as the check of params.yaml, is left out: it takes a moment and changes nothing.

    Args:
        params: content of a changed params.yaml; None for the present one.
    """
    with open_repository(_overlay_params(params) if params else None) as repo:
        status = repo.status()
        graph = stale_subgraph(
            stage_graph(repo), {name for name, changes in status.items() if changes != ["always changed"]}
        )
        stages = {stage.addressing: stage for stage in repo.index.graph}
        return graph, {name: _explain_stage(stages[name], status.get(name, []), graph) for name in graph}


def _overlay_params(content: bytes) -> Any:
    """Return DVC's local file system with another content of params.yaml."""
    from dvc.fs import LocalFileSystem

    params_path = str(PARAMS.resolve())

    class ParamsOverlay(LocalFileSystem):
        """The local files, but for the content of params.yaml."""

        def open(self, path: str, mode: str = "r", **options: Any) -> Any:
            """Open a file, or the other content of params.yaml."""
            if str(Path(path).resolve()) != params_path:
                return super().open(path, mode, **options)
            file = io.BytesIO(content)
            return file if "b" in mode else io.TextIOWrapper(file, encoding="utf-8")

    return ParamsOverlay()


def _explain_stage(stage: Any, status: list[Any], graph: Graph) -> str:
    """Return why a stage would run: its own changes, else the stages that would run just before it."""
    if not any(dependency.hash_info for dependency in stage.deps):
        return "never run"
    reasons = list(_list_changes(stage, status))
    if not reasons:
        dependencies = graph[stage.addressing]
        reasons = [
            f"after {name}" for name in sorted(dependencies - set().union(*(graph[name] for name in dependencies)))
        ]
    return join_limited(reasons, _MAX_REASONS)


def _list_changes(stage: Any, status: list[Any]) -> Iterator[str]:
    """Yield what has changed: params first, then files."""
    messages = [entry for entry in status if isinstance(entry, str)]
    changed = [entry.get(kind, {}) for entry in status if isinstance(entry, dict) for kind in _CHANGE_KINDS]
    paths = [(path, change) for paths_by_kind in changed for path, change in paths_by_kind.items()]
    yield from messages
    for _, change in paths:
        if isinstance(change, dict):
            yield from _list_param_changes(stage, change)
    for path, change in paths:
        if isinstance(change, str):
            yield f"{path} {_FILE_STATES.get(change, change)}"


def _list_param_changes(stage: Any, keys: dict[str, str]) -> Iterator[str]:
    """Yield the params that differ from those of the stage's last run."""
    for dependency in stage.deps:
        if hasattr(dependency, "params"):
            before, after = (
                {key: fill_defaults_at(key, side[key]) for key in keys if key in side}
                for side in (dependency.hash_info.value or {}, dependency.read_params())
            )
            changes = diff_dicts(before, after)
            for key, values in changes.items():
                old, new = ("none" if value is None else format_value(value) for value in values)
                yield f"{key}: {old} -> {new}"
            if not changes:
                yield f"{', '.join(keys)}: the same values, but keys that are off were added or left out"
