"""The course's first network on the real images, as its notebook trains it (deep-learning-v2-pytorch, part 3)."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from preparing import Prepare, mirrored
from tiny_training import CPU

from stages.augmentation.policy import Policy
from stages.augmentation.steps import Steps
from stages.models.build import build, settings_of
from stages.params import load
from stages.training.batches import Rows
from stages.training.inputs import ImageInputs
from stages.training.loop import fit
from stages.training.task import Task


@pytest.mark.real
def test_five_epochs_end_at_the_loss_of_the_course(prepare: Prepare, real_data: Path) -> None:
    """784-128-64-10, SGD at 0.003, batches of 64 of all 60,000 images: the notebook prints 0.3909 at the end."""
    mirrored("mnist", real_data, "mnist/mnist")
    mnist = prepare("mnist")
    whole = [np.concatenate([read(split) for split in ("train", "val")]) for read in (mnist.inputs, mnist.targets)]
    (model,) = load("models.mnist-mlp")
    nothing = Policy(name="none", dataset=None, steps=Steps())
    inputs = ImageInputs(nothing.apply, [0.5], [0.5], 0, CPU.device)
    torch.manual_seed(0)
    network = build("mlp", settings_of(model), [28, 28, 1], 10)
    train, test = Rows(*whole, CPU.device), Rows(mnist.inputs("test"), mnist.targets("test"), CPU.device)
    task = Task("course", network, train, test, inputs.to_train, inputs.to_val, None, 0)
    losses = [epoch.train_loss for epoch in fit(task, model.train, CPU, lambda epoch: None).history]
    assert len(losses) == 5
    assert all(before > after for before, after in pairwise(losses))
    assert losses[-1] == pytest.approx(0.391, abs=0.03)
