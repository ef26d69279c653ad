"""How long stages would take, by their past runs here."""

from collections.abc import Iterable, Mapping
from statistics import median

from stages.commands.pipeline.schedule import Chain, Graph, Schedule, chains
from stages.project.durations import Duration, durations


def expected(past: Iterable[Duration], epochs: int | None) -> float | None:
    """Seconds that a stage would take: the median of its past runs; None where there is none.

    The work, without the imports before it, is taken to grow with the number of epochs.

    Args:
        past: its runs.
        epochs: that it would be asked for, None where it has none.
    """
    found = [one.start + one.work * (epochs / one.epochs if epochs and one.epochs else 1.0) for one in past]
    return median(found) if found else None


def seconds_at_once(graph: Graph, seconds: Mapping[str, float], jobs: int) -> float:
    """How long stages take with `jobs` of their chains at once, in the order of `vision repro`.

    Args:
        graph: the stages, each with those that it depends on.
        seconds: of each stage; one that is left out takes no time.
        jobs: at least 1.
    """
    schedule, now = Schedule(chains(graph)), 0.0
    running: dict[Chain, float] = {}  # with the time of its end
    while running or schedule.waiting:
        while len(running) < jobs and (chain := schedule.next()):
            running[chain] = now + sum(seconds.get(stage, 0.0) for stage in chain)
        first = min(running, key=lambda one: running[one])
        now = running.pop(first)
        schedule.done(first)
    return now


def spoken(seconds: float) -> str:
    """A duration for people: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def trainings(model: str, epochs: Iterable[int | None]) -> str:
    """A line that says how long trainings like those of `model` would take, one after the other.

    Args:
        model: whose past runs tell.
        epochs: of each training, None where it has none.
    """
    past = durations().get(f"train@{model}", [])
    times = [expected(past, one) for one in epochs]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return f"no past run of train@{model} here tells how long that takes"
    return f"about {spoken(sum(known))} of training one after the other, by the past runs of train@{model}"
