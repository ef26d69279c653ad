"""How long stages would take, by their past runs here."""

from collections.abc import Iterable, Mapping
from statistics import median

from vision_pipeline.cli.pipeline.schedule import Chain, Graph, Schedule, merge_chains
from vision_pipeline.core.timings import StageTiming, load_timings


def estimate_seconds(past_runs: Iterable[StageTiming], epochs: int | None) -> float | None:
    """Seconds that a stage would take: the median of its past runs; None where there is none.

    The work, without the imports before it, is taken to grow with the number of epochs.

    Args:
        past_runs: its runs.
        epochs: that it would be asked for, None where it has none.
    """
    estimates = [
        run.startup_s + run.run_s * (epochs / run.epochs if epochs and run.epochs else 1.0) for run in past_runs
    ]
    return median(estimates) if estimates else None


def simulate_makespan(graph: Graph, seconds: Mapping[str, float], jobs: int) -> float:
    """How long stages take with `jobs` of their chains at once, in the order of `vision repro`.

    Args:
        graph: the stages, each with those that it depends on.
        seconds: of each stage; one that is left out takes no time.
        jobs: at least 1.
    """
    schedule, now = Schedule(merge_chains(graph)), 0.0
    running: dict[Chain, float] = {}  # with the time of its end
    while running or schedule.waiting:
        while len(running) < jobs and (chain := schedule.next()):
            running[chain] = now + sum(seconds.get(stage, 0.0) for stage in chain)
        first = min(running, key=lambda candidate: running[candidate])
        now = running.pop(first)
        schedule.mark_done(first)
    return now


def format_duration(seconds: float) -> str:
    """A duration for people: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def describe_time(model: str, epochs: Iterable[int | None]) -> str:
    """A line that says how long trainings like those of `model` would take, one after the other.

    Args:
        model: whose past runs tell.
        epochs: of each training, None where it has none.
    """
    past_runs = load_timings().get(f"train@{model}", [])
    estimates = [estimate_seconds(past_runs, num_epochs) for num_epochs in epochs]
    available_estimates = [time for time in estimates if time is not None]
    if len(available_estimates) < len(estimates):
        return f"no past run of train@{model} here tells how long that takes"
    return f"about {format_duration(sum(available_estimates))} of training one after the other, by the past runs of train@{model}"
