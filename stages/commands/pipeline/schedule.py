"""Which stages are run next: those that are out of date, in chains, the longest way to the end first."""

from graphlib import TopologicalSorter

Graph = dict[str, set[str]]  # by stage, the stages that it depends on
Chain = tuple[str, ...]  # stages that are run one after the other


def out_of_date(graph: Graph, changed: set[str]) -> Graph:
    """The part of `graph` that is changed, or depends on what is and so may change."""
    found: Graph = {}
    for stage in TopologicalSorter(graph).static_order():
        needed = graph[stage] & found.keys()
        if stage in changed or needed:
            found[stage] = needed
    return found


def chains(graph: Graph) -> dict[Chain, set[Chain]]:
    """The graph with its unbranched ways drawn together, such as train, evaluate and export of a model.

    A chain is one call of DVC, which takes a second to start.
    """
    direct = _direct(graph)
    followers: Graph = {stage: set() for stage in graph}
    for stage, needed in direct.items():
        if len(needed) == 1:
            followers[next(iter(needed))].add(stage)
    chain_of: dict[str, list[str]] = {}
    for stage in TopologicalSorter(graph).static_order():
        needed = direct[stage]
        alone = len(needed) == 1 and len(followers[next(iter(needed))]) == 1
        chain_of[stage] = chain_of[next(iter(needed))] if alone else []
        chain_of[stage].append(stage)
    found: dict[Chain, set[Chain]] = {tuple(chain): set() for chain in chain_of.values()}
    for chain, needed_chains in found.items():
        needed = set().union(*(graph[stage] for stage in chain)) - set(chain)
        needed_chains |= {tuple(chain_of[stage]) for stage in needed}
    return found


def _direct(graph: Graph) -> Graph:
    """The graph without what a stage depends on by way of another (its transitive reduction)."""
    above: Graph = {}
    direct: Graph = {}
    for stage in TopologicalSorter(graph).static_order():
        further = set().union(*(above[needed] for needed in graph[stage]))
        direct[stage], above[stage] = graph[stage] - further, graph[stage] | further
    return direct


class Schedule:
    """Hands out chains whose dependencies are done."""

    def __init__(self, graph: dict[Chain, set[Chain]]) -> None:
        self.waiting = {chain: set(needed) for chain, needed in graph.items()}
        self._ahead = _ahead(graph)

    def next(self) -> Chain | None:
        """The chain to start now, on which most stages stand one on the other; None while there is none."""
        ready = [chain for chain, needed in self.waiting.items() if not needed]
        if not ready:
            return None
        chain = max(ready, key=lambda one: self._ahead[one])
        del self.waiting[chain]
        return chain

    def done(self, chain: Chain) -> None:
        """A chain that was handed out has succeeded."""
        for needed in self.waiting.values():
            needed.discard(chain)


def _ahead(graph: dict[Chain, set[Chain]]) -> dict[Chain, int]:
    """By chain, the stages from its start to the end along the longest way."""
    ahead = {chain: len(chain) for chain in graph}
    for chain in reversed(list(TopologicalSorter(graph).static_order())):
        for needed in graph[chain]:
            ahead[needed] = max(ahead[needed], len(needed) + ahead[chain])
    return ahead
