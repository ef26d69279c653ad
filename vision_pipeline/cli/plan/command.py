"""`vision plan`: what `vision repro`, or an experiment, would run, why, and how long that would take.

It is a forecast. Times are those of past runs on this machine, of any data, network and load, without DVC's own work;
only the number of epochs is reckoned with. A stage that DVC has in its run cache, or whose inputs come out as they
were, does not run after all. What params would change is asked of DVC itself, which is given other params to read than
the file's: nothing in the workspace is touched.
"""

from typing import Annotated

import typer

from vision_pipeline.cli.pipeline.forecast import estimate_seconds, format_duration, simulate_makespan
from vision_pipeline.cli.pipeline.schedule import default_jobs
from vision_pipeline.config.load import PARAMS, parse_file, raise_if_unusable, safe_load
from vision_pipeline.core.timings import load_timings


def plan(
    set_param: Annotated[
        list[str] | None, typer.Option("--set-param", "-S", help="KEY=VALUE, as `dvc exp run -S` takes it.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once; else as many as cores and GPUs serve.")
    ] = None,
) -> None:
    """Say which stages would run, why, and how long they would take; run none."""
    from vision_pipeline.cli.plan.reasons import override_params, stale_stages

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
    """Return by stage the epochs that it would be asked for, of all seeds.

    Raises:
        UserError: the params are not valid, or name a path that is not there.
    """
    values = safe_load(params.decode()) if params else parse_file(PARAMS, safe_load)
    raise_if_unusable(values)
    return {
        f"train@{name}": model["train"]["epochs"] * len(model.get("seeds") or [None])
        for name, model in values["models"].items()
        if "epochs" in model["train"]
    }
