"""Which stages are run next: those that are out of date, in chains, the longest way to the end first."""

import os
from graphlib import TopologicalSorter
from pathlib import Path

from vision_pipeline.core.system import count_available_cpus

Graph = dict[str, set[str]]  # by stage, the stages that it depends on
Chain = tuple[str, ...]  # stages that are run one after the other


def stale_subgraph(graph: Graph, changed: set[str]) -> Graph:
    """The part of `graph` that is changed, or depends on what is and so may change."""
    stale: Graph = {}
    for stage in TopologicalSorter(graph).static_order():
        dependencies = graph[stage] & stale.keys()
        if stage in changed or dependencies:
            stale[stage] = dependencies
    return stale


def merge_chains(graph: Graph) -> dict[Chain, set[Chain]]:
    """The graph with its unbranched ways drawn together, such as train, evaluate and export of a model.

    A chain is one call of DVC, which takes a second to start.
    """
    direct = _reduce_transitively(graph)
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


def _reduce_transitively(graph: Graph) -> Graph:
    """The graph without what a stage depends on by way of another (its transitive reduction)."""
    ancestors: Graph = {}
    direct: Graph = {}
    for stage in TopologicalSorter(graph).static_order():
        indirect = set().union(*(ancestors[dependency] for dependency in graph[stage]))
        direct[stage], ancestors[stage] = graph[stage] - indirect, graph[stage] | indirect
    return direct


class Schedule:
    """Hands out chains whose dependencies are done."""

    def __init__(self, graph: dict[Chain, set[Chain]]) -> None:
        self.waiting = {chain: set(dependencies) for chain, dependencies in graph.items()}
        self._path_lengths = _compute_path_lengths(graph)

    def next(self) -> Chain | None:
        """The chain to start now, on which most stages stand one on the other; None while there is none."""
        ready = [chain for chain, dependencies in self.waiting.items() if not dependencies]
        if not ready:
            return None
        chain = max(ready, key=lambda candidate: self._path_lengths[candidate])
        del self.waiting[chain]
        return chain

    def mark_done(self, chain: Chain) -> None:
        """A chain that was handed out has succeeded."""
        for dependencies in self.waiting.values():
            dependencies.discard(chain)


def _compute_path_lengths(graph: dict[Chain, set[Chain]]) -> dict[Chain, int]:
    """By chain, the stages from its start to the end along the longest way."""
    lengths = {chain: len(chain) for chain in graph}
    for chain in reversed(list(TopologicalSorter(graph).static_order())):
        for dependency in graph[chain]:
            lengths[dependency] = max(lengths[dependency], len(dependency) + lengths[chain])
    return lengths


# MERGED How many stages this machine runs at once.
_GPU_DIR = Path("/proc/driver/nvidia/gpus")  # a folder each; asking torch takes a second
_MAX_CPU_JOBS = 4  # without GPUs: trainings take turns on the cores, and few other stages are ready together


def default_jobs() -> int:
    """One stage for each GPU that may be used, else one for two cores; at least 2, for many stages mostly wait."""
    return max(2, count_visible_gpus(), min(_MAX_CPU_JOBS, count_available_cpus() // 2))


def count_visible_gpus() -> int:
    """Those that the environment leaves to this process."""
    present = len(list(_GPU_DIR.iterdir())) if _GPU_DIR.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    return min(present, len([number for number in visible.split(",") if number.strip() not in ("", "-1")]))
