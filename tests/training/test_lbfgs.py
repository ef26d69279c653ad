"""Logistic regression by L-BFGS: the minimum that scikit-learn finds, and to the same bits after any end."""

import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from tiny_training import CPU
from torch import Tensor, nn

from vision_pipeline.config.models import LbfgsConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted, ShutdownFlag
from vision_pipeline.models.build import build_model
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.lbfgs import fit_logistic_regression
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import TrainTask, compute_class_weights

SETTINGS = LbfgsConfig(optimizer="lbfgs", weight_decays=[1.0, 0.1, 0.01], class_weights="none")


def data(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return float16 (N, 6) of three classes that overlap, the first half as frequent as the others; int64 (N,)."""
    random = np.random.default_rng(seed)
    targets = random.choice(3, count, p=[0.2, 0.4, 0.4])
    inputs = random.normal(size=(count, 6)) + np.eye(6)[targets]
    return inputs.astype(np.float16), targets.astype(np.int64)


def a_task(weights: Tensor | None = None) -> TrainTask:
    torch.manual_seed(0)
    network = build_model("transfer", {"hidden": [], "activation": "relu", "dropout": 0.5}, [6], 3)
    train, val = ArrayDataset(*data(0, 300), CPU.device), ArrayDataset(*data(1, 50), CPU.device)
    return TrainTask(
        name="toy",
        network=network,
        train=train,
        val=val,
        train_transform=lambda x, epoch, step: x.float(),
        eval_transform=lambda x: x.float(),
        class_weights=weights,
        seed=0,
    )


def searched(
    folder: Path, task: TrainTask, chosen: LbfgsConfig = SETTINGS, flag: ShutdownFlag | None = None
) -> TrainResult:
    return fit_logistic_regression(
        task, chosen, CPU, lambda epoch: None, checkpointer=CheckpointManager(folder, flag or ShutdownFlag())
    )


def same(first: TrainResult, second: TrainResult) -> bool:
    equal = (torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    return first.history == second.history and first.best == second.best and all(equal)


@pytest.mark.parametrize("kind", ["none", "balanced"])
@pytest.mark.parametrize("decay", [1.0, 0.01])
def test_the_minimum_is_scikit_learns(tmp_path: Path, kind: str, decay: float) -> None:
    inputs, targets = data(0, 300)
    weights = compute_class_weights(np.bincount(targets).tolist(), kind, CPU.device)
    state_dict = searched(tmp_path, a_task(weights), SETTINGS.model_copy(update={"weight_decays": [decay]})).weights
    # its objective is the sum of the losses times C, plus half the squares of the coefficients
    theirs = LogisticRegression(C=1 / (300 * decay), class_weight=None if kind == "none" else kind, tol=1e-8)
    theirs.fit(inputs.astype(np.float64), targets)
    np.testing.assert_allclose(state_dict["output.weight"], theirs.coef_, atol=1e-3)
    biases = state_dict["output.bias"] - state_dict["output.bias"].mean()  # one for all classes changes nothing
    np.testing.assert_allclose(biases, theirs.intercept_ - theirs.intercept_.mean(), atol=1e-3)


def test_validation_chooses_the_weight_decay(tmp_path: Path) -> None:
    task = a_task()
    outcome = searched(tmp_path, task, SETTINGS.model_copy(update={"weight_decays": [100.0, 0.1, 0.0]}))
    assert [epoch.weight_decay for epoch in outcome.history] == [100.0, 0.1, 0.0]
    assert [epoch.epoch for epoch in outcome.history] == [1, 2, 3]
    losses = [epoch.train_loss for epoch in outcome.history]
    assert losses == sorted(losses, reverse=True)
    assert outcome.best == max(outcome.history, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))
    task.network.load_state_dict(outcome.weights)
    inputs, targets = data(1, 50)
    with torch.no_grad():
        right = task.network(torch.from_numpy(inputs).float()).argmax(1).numpy() == targets
    assert right.mean() == pytest.approx(outcome.best.val_accuracy)


def test_a_weak_decay_ends_at_the_same_minimum_from_anywhere(tmp_path: Path) -> None:
    warm = searched(tmp_path / "warm", a_task()).history[-1]
    (cold,) = searched(tmp_path / "cold", a_task(), SETTINGS.model_copy(update={"weight_decays": [0.01]})).history
    assert warm.train_loss == pytest.approx(cold.train_loss, abs=1e-5)
    assert warm.val_loss == pytest.approx(cold.val_loss, abs=1e-3)


class Killed(BaseException):
    """An error that no code expects."""


class Counted(nn.Module):
    """A network that does something at its n-th call in training, of all of train."""

    def __init__(self, network: nn.Module, when: int, action: object) -> None:
        super().__init__()
        self.network, self.left, self.action = network, when, action

    def forward(self, inputs: Tensor) -> Tensor:
        self.left -= torch.is_grad_enabled()
        if self.left == 0 and torch.is_grad_enabled():
            self.action()
        return self.network(inputs)


def kill() -> None:
    raise Killed


def counted(when: int, action: object = kill) -> TrainTask:
    task = a_task()
    return replace(task, network=Counted(task.network, when, action))


def test_killed_anywhere_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    alone = searched(tmp_path, counted(-1))

    @settings(max_examples=15)
    @given(st.lists(st.integers(1, 40), max_size=3))
    def killed(moments: list[int]) -> None:
        with TemporaryDirectory() as folder:
            for moment in moments:
                with suppress(Killed):
                    searched(Path(folder), counted(moment))
            assert same(searched(Path(folder), counted(-1)), alone)

    killed()


def test_a_signal_is_obeyed_within_a_search_and_what_is_done_is_kept(tmp_path: Path) -> None:
    flag, alone = ShutdownFlag(), searched(tmp_path / "alone", counted(-1))
    with pytest.raises(Interrupted, match="SIGTERM"):
        searched(tmp_path, counted(25, lambda: setattr(flag, "signal", signal.SIGTERM)), flag=flag)
    done = CheckpointManager(tmp_path, ShutdownFlag()).load()
    assert 1 <= len(done["history"]) < 3
    assert same(searched(tmp_path, counted(-1)), alone)


def test_a_finished_search_is_not_done_again(tmp_path: Path) -> None:
    assert same(searched(tmp_path, counted(-1)), searched(tmp_path, counted(1)))


def test_a_loss_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    task = replace(a_task(), eval_transform=lambda x: x.float() * float("nan"))
    with pytest.raises(UserError, match=r"loss of toy is not finite at a weight decay of 1; are models\.toy\.inputs"):
        searched(tmp_path, task)


def test_running_out_of_memory_names_the_optimizer(tmp_path: Path) -> None:
    def full() -> None:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(UserError, match=r"set models\.toy\.train\.optimizer to adamw"):
        searched(tmp_path, counted(1, full))
