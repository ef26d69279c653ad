"""The order in which `vision repro` runs stages."""

from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.cli.pipeline.schedule import Graph, Schedule, merge_chains, stale_subgraph

PIPELINE: Graph = {
    "check": set(),
    "download": set(),
    "prepare": {"download"},
    "augment": {"prepare"},
    "train@a": {"prepare", "augment"},
    "train@b": {"prepare"},
    **{f"evaluate@{m}": {"prepare", f"train@{m}"} for m in "ab"},
    **{f"export@{m}": {"prepare", f"train@{m}", f"evaluate@{m}"} for m in "ab"},
    "compare": {"train@a", "train@b", "evaluate@a", "evaluate@b", "augment"},
}


def test_chains_are_the_unbranched_ways():
    found = merge_chains(PIPELINE)
    assert found == {
        ("check",): set(),
        ("download", "prepare"): set(),
        ("augment", "train@a", "evaluate@a", "export@a"): {("download", "prepare")},
        ("train@b", "evaluate@b", "export@b"): {("download", "prepare")},
        ("compare",): {
            ("augment", "train@a", "evaluate@a", "export@a"),
            ("train@b", "evaluate@b", "export@b"),
        },
    }


def test_a_stage_with_two_followers_ends_its_chain():
    graph: Graph = {"evaluate": set(), "export": {"evaluate"}, "compare": {"evaluate"}}
    assert set(merge_chains(graph)) == {("evaluate",), ("export",), ("compare",)}


def test_out_of_date_is_what_changed_and_all_that_depends_on_it():
    found = stale_subgraph(PIPELINE, {"check", "train@b"})
    assert found == {
        "check": set(),
        "train@b": set(),
        "evaluate@b": {"train@b"},
        "export@b": {"train@b", "evaluate@b"},
        "compare": {"train@b", "evaluate@b"},
    }


def test_nothing_changed_is_nothing_to_do():
    assert stale_subgraph(PIPELINE, set()) == {}
    assert Schedule(merge_chains({})).next() is None


def test_the_longest_way_comes_first():
    graph = {("short",): set(), ("first",): set(), ("second", "third"): {("first",)}}
    schedule = Schedule(graph)
    assert [schedule.next(), schedule.next(), schedule.next()] == [("first",), ("short",), None]
    schedule.mark_done(("first",))
    assert schedule.next() == ("second", "third")


@st.composite
def graphs(draw) -> Graph:
    """Any graph without a circle: a stage depends on earlier ones."""
    count = draw(st.integers(1, 12))
    return {str(n): {str(m) for m in range(n) if draw(st.booleans())} for n in range(count)}


@given(graphs(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_stage_runs_once_and_after_all_that_it_depends_on(graph, jobs, random):
    schedule, running, done = Schedule(merge_chains(graph)), [], []
    while running or schedule.waiting:
        while len(running) < jobs and (chain := schedule.next()):
            running.append(chain)
        assert running, "stages wait, but none can be started"
        chain = running.pop(random.randrange(len(running)))
        for stage in chain:
            assert graph[stage] <= set(done)
            done.append(stage)
        schedule.mark_done(chain)
    assert sorted(done) == sorted(graph)
