"""Texts are trained on in streams that continue from batch to batch, from five letters up."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from interruption import kill_anywhere
from tiny_training import CPU, SETTINGS

from vision_pipeline.models.build import build_model
from vision_pipeline.training.ranks import SINGLE_PROCESS
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import TokenTransform, TrainTask
from vision_pipeline.training.text_batches import TextBatches, TextEvalSet
from vision_pipeline.training.train_step import validate
from vision_pipeline.training.trainer import fit

HELLO = np.array([1, 0, 2, 2, 3], np.uint8)
TEXT = np.random.default_rng(0).integers(0, 5, 130).astype(np.uint8)


def task(text: np.ndarray, cell: str, *, steps: int, hidden: int = 8, dropout: float = 0.0, seed: int = 0) -> TrainTask:
    torch.manual_seed(seed)
    chosen = {"cell": cell, "hidden": hidden, "layers": 1, "forget_bias": 1.0, "input_bias": 0.0, "dropout": dropout}
    network = build_model("recurrent", chosen, [], int(text.max()) + 1)
    pairs = text[:-1], text[1:].astype(np.int64)
    inputs = TokenTransform()
    train, val = TextBatches(*pairs, steps, CPU.device), TextEvalSet(*pairs, CPU.device)
    return TrainTask(
        name="text",
        network=network,
        train=train,
        val=val,
        train_transform=inputs.apply_train,
        eval_transform=inputs.apply_eval,
        class_weights=None,
        seed=seed,
    )


@given(st.integers(1, 9), st.integers(1, 20), st.integers(20, 200))
def test_streams_are_the_text(batch_size: int, steps: int, length: int) -> None:
    text = torch.arange(length)
    streams = TextBatches(text.numpy().astype(np.uint8), text.numpy() + 1, steps, CPU.device)
    batches = list(streams.iter_batches(batch_size, seed=3, epoch=2))
    assert len(batches) == streams.num_batches(batch_size)
    assert all(torch.equal(batch.inputs.flatten() + 1, batch.targets) for batch in batches)
    assert all(batch.inputs.shape[1] == steps for batch in batches[:-1])
    read = torch.cat([batch.inputs for batch in batches], 1)
    assert torch.equal(read.flatten(), text[: length // batch_size * batch_size])


def test_an_epoch_goes_on_from_any_batch() -> None:
    streams = TextBatches(TEXT[:-1], TEXT[1:].astype(np.int64), 5, CPU.device)
    whole, rest = list(streams.iter_batches(3, 0, 1)), list(streams.iter_batches(3, 0, 1, first_step=4))
    assert [batch.step for batch in rest] == [batch.step for batch in whole[4:]]
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(rest, whole[4:], strict=True))


class Noting(torch.nn.Module):
    """A network that records each hidden state before and after a batch."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network, self.starts, self.ends = network, [], []

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network(inputs)

    def forward_with_state(self, inputs: torch.Tensor, state: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        logits, after = self.network.forward_with_state(inputs, state)
        self.starts.append(state)
        self.ends.append(after)
        return logits, after


def test_the_state_is_carried_without_its_gradient_and_is_zero_at_an_epochs_start() -> None:
    text_task = task(TEXT, "lstm", steps=10)
    noting = Noting(text_task.network)
    fit(replace(text_task, network=noting), SETTINGS.model_copy(update={"epochs": 2, "batch_size": 4}), CPU, print)
    starts, ends = noting.starts, noting.ends
    assert [state is None for state in starts] == [True, False, False, False] * 2
    for before, after in zip(ends, starts[1:], strict=False):
        if after is not None:
            assert torch.equal(before, after)
            assert before.requires_grad and not after.requires_grad


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "none"])
@pytest.mark.usefixtures("every_step")
def test_killed_anywhere_it_ends_with_the_same_bits(cell: str) -> None:
    chosen = SETTINGS.model_copy(update={"epochs": 2, "batch_size": 4, "clip_norm": 0.5, "ema": 0.9})

    def make_task() -> TrainTask:
        return task(TEXT, cell, steps=10, dropout=0.3)

    assert kill_anywhere(make_task, chosen, CPU, steps=4, examples=6) > 0


def hello(cell: str, seed: int) -> tuple[TrainTask, TrainResult]:
    """Train on the text hello with the settings of params.yaml."""
    text_task = task(HELLO, cell, steps=4, seed=seed)
    chosen = SETTINGS.model_copy(update={"epochs": 150, "batch_size": 1, "lr": 0.05, "clip_norm": 5.0})
    outcome = fit(text_task, chosen, CPU, lambda epoch: None)
    text_task.network.load_state_dict(outcome.weights)
    return text_task, outcome


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_hello_is_learnt_by_heart(cell: str, seed: int) -> None:
    text_task, _ = hello(cell, seed)
    loss, accuracy = validate(text_task.network, text_task, CPU, SINGLE_PROCESS)
    assert accuracy == 1
    assert loss < 1e-3
    network: Any = text_task.network.eval()
    logits, state = network.forward_with_state(torch.tensor([[1]]), None)
    text = "h"
    for _ in range(4):
        text += "ehlo"[int(logits[0, -1].argmax())]
        logits, state = network.forward_with_state(torch.tensor([["ehlo".index(text[-1])]]), state)
    assert text == "hello"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_without_memory_the_second_l_cannot_be_told_from_the_first(seed: int) -> None:
    """After l comes l, or o: 2 ln 2 over 4 symbols is the least loss."""
    _, outcome = hello("none", seed)
    assert outcome.best is not None
    assert outcome.best.val_accuracy == 0.75
    assert outcome.history[-1].val_loss == pytest.approx(2 * np.log(2) / 4, abs=2e-3)


def test_the_validation_text_counts_every_symbol_once() -> None:
    text = np.tile(TEXT, 20)
    passage = TextEvalSet(text, text.astype(np.int64), CPU.device)
    pairs = list(passage.iter_sequential())
    assert len(passage) == len(text)
    read = np.concatenate([targets[targets >= 0].numpy() for _, targets in pairs])
    assert np.array_equal(read, text)
