from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_training import CPU, SETTINGS, Watched, a_task

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.training.trainer import fit


def test_it_learns_and_keeps_the_weights_of_the_best_epoch():
    task, seen = a_task(), []
    outcome = fit(task, SETTINGS.model_copy(update={"epochs": 8}), CPU, seen.append)
    assert outcome.history == seen
    assert len(seen) == 8
    assert seen[-1].train_loss < seen[0].train_loss
    best = max(seen, key=lambda epoch: (epoch.val_accuracy, -epoch.val_loss))
    assert outcome.best == best
    rebuilt = Watched()
    rebuilt.load_state_dict(outcome.weights)
    with torch.no_grad():
        inputs, targets = next(task.val.iter_sequential(100))
        correct = rebuilt.eval()(inputs.float()).argmax(1) == targets
    assert correct.float().mean().item() == pytest.approx(best.val_accuracy)


def test_the_same_training_gives_the_same_bits():
    first, second = (fit(a_task(), SETTINGS, CPU, lambda epoch: None) for _ in range(2))
    assert first.history == second.history
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_training_mode_only_inside_the_loop():
    task = a_task()
    fit(task, SETTINGS.model_copy(update={"epochs": 1}), CPU, lambda epoch: None)
    assert task.network.modes == [False, *[True] * 4, False, False]  # a look into the layers before and after


def test_patience_stops_early():
    task = a_task()
    hopeless = SETTINGS.model_copy(update={"lr": 1e-30, "optimizer": "sgd", "epochs": 50, "patience": 2})
    assert len(fit(task, hopeless, CPU, lambda epoch: None).history) == 3


def test_an_infinite_loss_names_epoch_step_and_rate():
    def to_train(batch, rows):
        return batch.inputs[rows].float() / (0.0 if (batch.epoch, batch.step) == (2, 1) else 1.0)

    task = replace(a_task(), train_transform=to_train)
    with pytest.raises(UserError, match=r"loss of toy is not finite from epoch 2, step 2 of 4 on, .* rate of 0\.05"):
        fit(task, SETTINGS, CPU, lambda epoch: None)


def test_running_out_of_memory_names_the_batch_size():
    def too_much(inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    task = a_task()
    task.network.forward = too_much
    with pytest.raises(UserError, match=r"lower models\.toy\.train\.batch_size \(it is 8\)"):
        fit(task, SETTINGS, CPU, lambda epoch: None)


def test_what_is_raised_after_an_epoch_ends_the_training():
    def stop(epoch):
        raise Interrupted("now")

    with pytest.raises(Interrupted):
        fit(a_task(), SETTINGS, CPU, stop)


def test_clipping_bounds_the_step():
    task = a_task()
    before = task.network.linear.weight.detach().clone()
    settings = {"optimizer": "sgd", "lr": 1.0, "clip_norm": 1e-3, "epochs": 1, "batch_size": 32}
    fit(task, SETTINGS.model_copy(update=settings), CPU, lambda epoch: None)
    assert 0 < (task.network.linear.weight - before).norm().item() <= 1.001e-3


@pytest.mark.slow
def test_a_compiled_network_learns_the_same_within_rounding():
    compiled, eager = (
        fit(a_task(0.0), SETTINGS.model_copy(update={"compile": chosen}), CPU, lambda epoch: None)
        for chosen in (True, False)
    )
    for one, other in zip(compiled.history, eager.history, strict=True):
        assert one.metrics() == pytest.approx(other.metrics(), rel=1e-4)
    assert compiled.weights.keys() == eager.weights.keys()


def test_a_network_that_cannot_be_compiled_is_refused_by_its_key(monkeypatch):
    def backend(graph, inputs):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    with pytest.raises(UserError, match=r"models\.toy\.train\.compile: torch\.compile failed \(.*\); set it to false"):
        fit(a_task(0.0), SETTINGS.model_copy(update={"compile": True}), CPU, lambda epoch: None)
