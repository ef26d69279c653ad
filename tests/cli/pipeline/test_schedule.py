"""The schedule of stages: chains, their order, how many run at once, and the time that they take."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.cli.pipeline import schedule
from vision_pipeline.cli.pipeline.schedule import (
    Graph,
    Schedule,
    estimate_seconds,
    format_duration,
    merge_chains,
    simulate_makespan,
    stale_subgraph,
)
from vision_pipeline.core.timings import StageTiming

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
    chains = merge_chains(PIPELINE)
    assert chains == {
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
    stale = stale_subgraph(PIPELINE, {"check", "train@b"})
    assert stale == {
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
    waiting = Schedule(graph)
    assert [waiting.next(), waiting.next(), waiting.next()] == [("first",), ("short",), None]
    waiting.mark_done(("first",))
    assert waiting.next() == ("second", "third")


@st.composite
def graphs(draw) -> Graph:
    """Any graph without a circle: a stage depends on earlier ones."""
    count = draw(st.integers(1, 12))
    return {str(n): {str(m) for m in range(n) if draw(st.booleans())} for n in range(count)}


@given(graphs(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_stage_runs_once_and_after_all_that_it_depends_on(graph, jobs, random):
    waiting, running, done = Schedule(merge_chains(graph)), [], []
    while running or waiting.waiting:
        while len(running) < jobs and (chain := waiting.next()):
            running.append(chain)
        assert running, "stages wait, but none can be started"
        chain = running.pop(random.randrange(len(running)))
        for stage in chain:
            assert graph[stage] <= set(done)
            done.append(stage)
        waiting.mark_done(chain)
    assert sorted(done) == sorted(graph)


@pytest.mark.parametrize(("cores", "gpus", "visible", "expected"), [
    (1, 0, None, 2), (2, 0, None, 2), (6, 0, None, 3), (64, 0, None, 4),
    (64, 8, None, 8), (64, 8, "0,1,2,3,4", 5), (64, 8, "", 4), (4, 1, None, 2), (4, 0, "0,1,2", 2),
])  # fmt: skip
def test_a_stage_for_each_gpu_else_for_two_cores(
    cores: int, gpus: int, visible: str | None, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(gpus):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
    monkeypatch.setattr(schedule, "_GPU_DIR", tmp_path if gpus else tmp_path / "none")
    monkeypatch.setattr(schedule, "count_available_cpus", lambda: cores)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert schedule.default_jobs() == expected


def test_the_time_is_the_median_of_past_runs_by_epoch():
    past = [StageTiming(2.0, 10.0, 1), StageTiming(2.0, 40.0, 2), StageTiming(2.0, 90.0, 3)]
    assert estimate_seconds(past, 4) == 2.0 + 80.0
    assert (
        estimate_seconds([StageTiming(1.0, 5.0, None)], 4) == estimate_seconds([StageTiming(1.0, 5.0, 3)], None) == 6.0
    )
    assert estimate_seconds([], 4) is None


def test_stages_at_once_take_as_long_as_their_longest_way():
    graph = {"first": set(), "left": {"first"}, "right": {"first"}, "alone": set(), "last": {"left", "right"}}
    seconds = {"first": 1.0, "left": 10.0, "right": 4.0, "alone": 5.0, "last": 2.0}
    assert simulate_makespan(graph, seconds, 1) == 22.0
    assert simulate_makespan(graph, seconds, 3) == 13.0
    assert simulate_makespan(graph, {"left": 3.0}, 2) == 3.0
    assert simulate_makespan({}, {}, 2) == 0.0


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3599.7, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_how_a_duration_is_said(seconds, expected):
    assert format_duration(seconds) == expected
