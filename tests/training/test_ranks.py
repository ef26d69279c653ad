"""The shards of a batch, and how ranks agree on a step."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.training import ranks
from vision_pipeline.training.losses import MixedTargets
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext, RankConsensus, shard


@given(st.integers(1, 300), st.integers(1, 9))
def test_every_row_is_counted_once(rows, size):
    shards = [shard(rows, rank, size) for rank in range(size)]
    counted = [row for part in shards if part.contributes for row in range(rows)[part.rows]]
    assert counted == list(range(rows))
    assert min(len(range(rows)[part.rows]) for part in shards) >= min(rows, 2)


@given(st.integers(2, 40), st.integers(1, 5), st.booleans(), st.integers(0, 1000))
def test_losses_of_shards_average_to_that_of_the_batch(rows, size, weighted, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 3, dtype=torch.float64, generator=generator)
    targets = torch.randint(3, (rows,), generator=generator)
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64) if weighted else None
    mean, goal = nn.CrossEntropyLoss(weights, label_smoothing=0.1), MixedTargets(targets)
    shards = [shard(rows, rank, size) for rank in range(size)]
    losses = [
        part.scale_loss(
            mean(logits[part.rows], targets[part.rows]),
            goal.select(part.rows).normalizer(weights),
            goal.normalizer(weights),
        )
        for part in shards
    ]
    torch.testing.assert_close(torch.stack(losses).mean(), mean(logits, targets))


def test_questions_come_about_once_a_second_and_at_once_in_one_process(monkeypatch):
    clock, poll_times = [0.0], []

    class TwoRanks(DistributedContext):
        size = 2

        def all_reduce_max(self, value):
            poll_times.append(clock[0])
            return value

    monkeypatch.setattr(ranks, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    consensus, answers = RankConsensus(TwoRanks()), []
    for _ in range(1000):  # steps of 10 ms
        clock[0] += 0.01
        answers.append(consensus.all_reduce_max(7))
    moments = sorted(set(poll_times))
    assert [after - before for before, after in pairwise(moments)] == pytest.approx([1.0] * 10, abs=0.03)
    assert sum(answers) == 7 * len(moments)
    assert [RankConsensus(SINGLE_PROCESS).all_reduce_max(number) for number in (0, 7)] == [0, 7]
