"""Several processes train as one does: the same pixels, the same gradient, the same end after an interruption."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import several_ranks
import torch
from hypothesis import given
from hypothesis import strategies as st
from several_ranks import CPU, SETTINGS, a_task, one_step
from torch import nn

from vision_pipeline.core.errors import UserError
from vision_pipeline.runtime.seeding import derive_torch_seed
from vision_pipeline.training import ranks as agreement
from vision_pipeline.training.distributed import MultiProcessContext
from vision_pipeline.training.losses import MixedTargets
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext, shard
from vision_pipeline.training.trainer import fit

Found = list[dict[str, Any]]


def trained(folder: Path, size: int) -> Found:
    """What each of `size` processes under torchrun saw."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
    ended = subprocess.run([*torchrun, several_ranks.__file__, folder], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr[-6000:]
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return trained(tmp_path_factory.mktemp("ranks"), request.param)


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    return several_ranks.curve(SINGLE_PROCESS)


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_loss_curve_is_that_of_one_process_within_rounding(found, alone):
    for ours, theirs in zip(found[0]["curve"]["history"], alone["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    torch.testing.assert_close(found[0]["curve"]["last"], alone["last"], rtol=1e-4, atol=1e-6)


def test_mixing_goes_across_processes_as_it_goes_within_one(found):
    alone = several_ranks.mixed_curve(SINGLE_PROCESS)["history"]
    for ours, theirs in zip(found[0]["mixed curve"]["history"], alone, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_all_processes_end_with_the_same_bits(found):
    first = found[0]["curve"]
    for other in found[1:]:
        assert other["curve"]["history"] == first["history"]
        assert same(other["curve"]["weights"], first["weights"])
        assert same(other["curve"]["last"], first["last"])


def test_together_the_processes_see_the_pixels_that_one_sees(found, alone):
    batches = zip(alone["seen"], *(process["curve"]["seen"] for process in found), strict=True)
    sizes = [together(whole, parts) for whole, *parts in batches]
    assert sizes == [12, 12, 12, 3] * SETTINGS.epochs


def together(whole: tuple, parts: list[tuple]) -> int:
    """The rows of a batch, which its parts make up; a small batch is seen whole by each process."""
    assert {part[:2] for part in parts} == {whole[:2]}
    pixels = whole[-1]
    if len(pixels) < 2 * len(parts):
        assert all(torch.equal(part[-1], pixels) for part in parts)
    else:
        assert torch.equal(torch.cat([part[-1] for part in parts]), pixels)
    return len(pixels)


@pytest.mark.parametrize("rows", [3, 5, 12])
def test_the_gradient_is_exact_however_a_batch_is_split(found, rows):
    # one plain step with a rate of 1, class weights and label smoothing
    torch.testing.assert_close(found[0]["one step"][rows], one_step(SINGLE_PROCESS, rows), rtol=1e-5, atol=1e-6)


def test_processes_drop_different_units(found):
    epochs = range(1, SETTINGS.epochs + 1)
    seeds = [dict.fromkeys(process["resumed"]["seeds"][: 4 * SETTINGS.epochs]) for process in found]
    assert list(seeds[0]) == [derive_torch_seed(0, "dropout", epoch) for epoch in epochs]  # as of one process
    assert len(set().union(*seeds)) == len(found) * len(epochs)


def test_killed_and_run_again_it_ends_with_the_same_bits(found):
    for process in found:
        alone, again = process["resumed"]["alone"], process["resumed"]["again"]
        assert again["history"] == alone["history"] == found[0]["resumed"]["alone"]["history"]
        assert same(again["weights"], alone["weights"])


def test_a_signal_to_one_stops_all_at_the_same_step(found):
    assert [process["stopped"] for process in found] == [{"said": "stopped by SIGTERM", "place": (1, 2)}] * len(found)


def test_all_stop_early_after_the_same_epoch(found):
    hopeless = SETTINGS.model_copy(update={"lr": 1e-30, "optimizer": "adam", "epochs": 50, "patience": 2})
    epochs = len(fit(a_task(), hopeless, CPU, lambda epoch: None).history)
    assert [process["patience"] for process in found] == [epochs] * len(found)


@given(st.integers(1, 300), st.integers(1, 9))
def test_every_row_is_counted_once(rows, size):
    shards = [shard(rows, rank, size) for rank in range(size)]
    counted = [row for one in shards if one.contributes for row in range(rows)[one.rows]]
    assert counted == list(range(rows))
    assert min(len(range(rows)[one.rows]) for one in shards) >= min(rows, 2)


@given(st.integers(2, 40), st.integers(1, 5), st.booleans(), st.integers(0, 1000))
def test_losses_of_shards_average_to_that_of_the_batch(rows, size, weighted, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 3, dtype=torch.float64, generator=generator)
    targets = torch.randint(3, (rows,), generator=generator)
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64) if weighted else None
    mean, goal = nn.CrossEntropyLoss(weights, label_smoothing=0.1), MixedTargets(targets)
    shards = [shard(rows, rank, size) for rank in range(size)]
    losses = [
        one.scale_loss(
            mean(logits[one.rows], targets[one.rows]),
            goal.select(one.rows).normalizer(weights),
            goal.normalizer(weights),
        )
        for one in shards
    ]
    torch.testing.assert_close(torch.stack(losses).mean(), mean(logits, targets))


def test_ranks_share_the_threads_of_a_machine(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    before, ranks = torch.get_num_threads(), object.__new__(MultiProcessContext)
    try:
        assert [ranks.local_runtime(replace(CPU, threads=threads)).threads for threads in (1, 4, 5)] == [1, 2, 2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("kind", "gpus"), [("cuda", 1), ("mps", 0)])
def test_more_ranks_than_devices_are_refused(kind, gpus, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    with pytest.raises(UserError, match=rf"2 processes are to train here, with 1 {kind} device\(s\); lower devices"):
        object.__new__(MultiProcessContext).local_runtime(replace(CPU, device=torch.device(kind)))


def test_questions_come_about_once_a_second_and_at_once_in_one_process(monkeypatch):
    clock, asked = [0.0], []

    class Two(DistributedContext):
        size = 2

        def highest(self, number):
            asked.append(clock[0])
            return number

    monkeypatch.setattr(agreement, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    two, found = agreement.RankConsensus(Two()), []
    for _ in range(1000):  # steps of 10 ms
        clock[0] += 0.01
        found.append(two.all_reduce_max(7))
    moments = sorted(set(asked))
    assert [after - before for before, after in pairwise(moments)] == pytest.approx([1.0] * 10, abs=0.03)
    assert sum(found) == 7 * len(moments)
    assert [agreement.RankConsensus(SINGLE_PROCESS).all_reduce_max(number) for number in (0, 7)] == [0, 7]
