"""`vision plan`: what `vision repro`, or an experiment, would run, why, and how long that would take.

It is a forecast. Times are those of past runs on this machine, of any data, network and load, without DVC's own work;
only the number of epochs is reckoned with. A stage that DVC has in its run cache, or whose inputs come out as they
were, does not run after all. What params would change is asked of DVC itself, which is given other params to read than
the file's: nothing in the workspace is touched.
"""

from typing import Annotated

import typer

from stages.commands.pipeline.jobs import stages_at_once
from stages.commands.plans.forecast import expected, seconds_at_once, spoken
from stages.params.load import PARAMS, parsed, refuse_unusable
from stages.params.plain_yaml import read_yaml
from stages.project.console import say
from stages.project.durations import durations


def plan(
    set_param: Annotated[
        list[str] | None, typer.Option("--set-param", "-S", help="KEY=VALUE, as `dvc exp run -S` takes it.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Stages at once; else as many as cores and GPUs serve.")
    ] = None,
) -> None:
    """Say which stages would run, why, and how long they would take; run none."""
    from stages.commands.plans.reasons import changed_params, work

    jobs = jobs or stages_at_once()
    params = changed_params(set_param) if set_param else None
    epochs = _epochs(params)
    graph, reasons = work(params)
    if not graph:
        say("everything is up to date")
        return
    past = durations()
    found = {stage: expected(past.get(stage, []), epochs.get(stage)) for stage in graph}
    known = {stage: seconds for stage, seconds in found.items() if seconds is not None}
    width = max(map(len, graph))
    for stage in graph:
        time = spoken(known[stage]) if stage in known else "no past run here"
        say(f"{stage:{width}}  {time:>16}  {reasons[stage]}")
    if not known:
        say(f"{len(graph)} stages, none of which ran here before: nothing tells how long they take")
        return
    at_least = "at least " if len(known) < len(graph) else ""
    say(
        f"{len(graph)} stages: {at_least}{spoken(sum(known.values()))} one after the other, "
        f"{at_least}{spoken(seconds_at_once(graph, known, jobs))} with --jobs {jobs}"
    )


def _epochs(params: bytes | None) -> dict[str, int]:
    """Return by stage the epochs that it would be asked for, of all seeds.

    Raises:
        Refusal: the params are not valid, or name a path that is not there.
    """
    values = read_yaml(params.decode()) if params else parsed(PARAMS, read_yaml)
    refuse_unusable(values)
    return {
        f"train@{name}": model["train"]["epochs"] * len(model.get("seeds") or [None])
        for name, model in values["models"].items()
        if "epochs" in model["train"]
    }
