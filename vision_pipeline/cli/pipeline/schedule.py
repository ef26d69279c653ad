"""The schedule of stages: which are out of date, in which order they run, and how long that takes by past runs."""

import os
from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

from vision_pipeline.core.system import count_available_cpus
from vision_pipeline.core.timings import StageTiming, load_timings

Graph = dict[str, set[str]]  # by stage, the stages that it depends on
Chain = tuple[str, ...]  # stages that run one after the other
_GPU_DIR = Path("/proc/driver/nvidia/gpus")  # a folder for each GPU; importing torch would take a second
_MAX_CPU_JOBS = 4  # without GPUs: trainings take turns on the cores, and few other stages are ready together


def stale_subgraph(graph: Graph, changed: set[str]) -> Graph:
    """Return the part of `graph` that has changed, or depends on what has and so may change.

    Args:
        graph: all stages.
        changed: names of the stages that DVC finds out of date.
    """
    stale: Graph = {}
    for stage in TopologicalSorter(graph).static_order():
        dependencies = graph[stage] & stale.keys()
        if stage in changed or dependencies:
            stale[stage] = dependencies
    return stale


def merge_chains(graph: Graph) -> dict[Chain, set[Chain]]:
    """Return the graph with its unbranched paths merged, such as train, evaluate and export of a model.

    A chain is one call of DVC, which takes a second to start.

    Args:
        graph: the stages to run.

    Returns:
        By chain, the chains that it depends on.
    """
    from networkx import DiGraph, transitive_reduction

    reduced = transitive_reduction(DiGraph(graph))
    direct: Graph = {stage: set(reduced.successors(stage)) for stage in graph}
    followers: Graph = {stage: set() for stage in graph}
    for stage, dependencies in direct.items():
        if len(dependencies) == 1:
            followers[next(iter(dependencies))].add(stage)
    chain_of: dict[str, list[str]] = {}
    for stage in TopologicalSorter(graph).static_order():
        dependencies = direct[stage]
        extends_chain = len(dependencies) == 1 and len(followers[next(iter(dependencies))]) == 1
        chain_of[stage] = chain_of[next(iter(dependencies))] if extends_chain else []
        chain_of[stage].append(stage)
    merged: dict[Chain, set[Chain]] = {tuple(chain): set() for chain in chain_of.values()}
    for chain, chain_dependencies in merged.items():
        dependencies = set().union(*(graph[stage] for stage in chain)) - set(chain)
        chain_dependencies |= {tuple(chain_of[stage]) for stage in dependencies}
    return merged


class Schedule:
    """Chains that wait for their dependencies, and the choice of the next one.

    Attributes:
        waiting: by chain that is not started, its dependencies that are not done.
    """

    def __init__(self, graph: dict[Chain, set[Chain]]) -> None:
        self.waiting = {chain: set(dependencies) for chain, dependencies in graph.items()}
        self._path_lengths = _compute_path_lengths(graph)

    def next(self) -> Chain | None:
        """Remove and return the chain to start now, with the longest path to the end; None while none is ready."""
        ready = [chain for chain, dependencies in self.waiting.items() if not dependencies]
        if not ready:
            return None
        chain = max(ready, key=lambda candidate: self._path_lengths[candidate])
        del self.waiting[chain]
        return chain

    def mark_done(self, chain: Chain) -> None:
        """Note that a started chain has succeeded."""
        for dependencies in self.waiting.values():
            dependencies.discard(chain)


def _compute_path_lengths(graph: dict[Chain, set[Chain]]) -> dict[Chain, int]:
    """Return by chain the number of stages from its start to the end along the longest path."""
    lengths = {chain: len(chain) for chain in graph}
    for chain in reversed(list(TopologicalSorter(graph).static_order())):
        for dependency in graph[chain]:
            lengths[dependency] = max(lengths[dependency], len(dependency) + lengths[chain])
    return lengths


def default_jobs() -> int:
    """Return how many stages run at once: one for each GPU, else one for two cores; at least 2, as many mostly wait."""
    return max(2, count_visible_gpus(), min(_MAX_CPU_JOBS, count_available_cpus() // 2))


def count_visible_gpus() -> int:
    """Return the number of GPUs that the environment leaves to this process."""
    present = len(list(_GPU_DIR.iterdir())) if _GPU_DIR.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    return min(present, len([number for number in visible.split(",") if number.strip() not in ("", "-1")]))


def estimate_seconds(past_runs: Iterable[StageTiming], epochs: int | None) -> float | None:
    """Return the seconds that a stage would take: the median of its past runs; None where there is none.

    The work, without the imports before it, is assumed to grow with the number of epochs.

    Args:
        past_runs: past runs of the stage.
        epochs: number of epochs that it would train, None where it has none.
    """
    estimates = [
        run.startup_s + run.run_s * (epochs / run.epochs if epochs and run.epochs else 1.0) for run in past_runs
    ]
    return median(estimates) if estimates else None


def simulate_makespan(graph: Graph, seconds: Mapping[str, float], jobs: int) -> float:
    """Return the seconds that stages take with `jobs` chains at once, in the order of `vision repro`.

    Args:
        graph: the stages, each with those that it depends on.
        seconds: time of each stage; one that is left out takes no time.
        jobs: number of chains at once, at least 1.
    """
    schedule, now = Schedule(merge_chains(graph)), 0.0
    running: dict[Chain, float] = {}  # value: time of its end
    while running or schedule.waiting:
        while len(running) < jobs and (chain := schedule.next()):
            running[chain] = now + sum(seconds.get(stage, 0.0) for stage in chain)
        first = min(running, key=lambda candidate: running[candidate])
        now = running.pop(first)
        schedule.mark_done(first)
    return now


def format_duration(seconds: float) -> str:
    """Return a duration for people: `45 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def describe_time(model: str, epochs: Iterable[int | None]) -> str:
    """Return a line with the time that trainings like those of `model` would take, one after the other.

    Args:
        model: name of the model whose past runs are used.
        epochs: number of epochs of each training, None where it has none.
    """
    past_runs = load_timings().get(f"train@{model}", [])
    estimates = [estimate_seconds(past_runs, num_epochs) for num_epochs in epochs]
    available_estimates = [time for time in estimates if time is not None]
    if len(available_estimates) < len(estimates):
        return f"no past run of train@{model} here tells how long that takes"
    duration = format_duration(sum(available_estimates))
    return f"about {duration} of training one after the other, by the past runs of train@{model}"
