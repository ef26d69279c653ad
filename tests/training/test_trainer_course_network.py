"""The course's first network on the real images, as its notebook trains it (deep-learning-v2-pytorch, part 3)."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from prepared_data import Prepare, mirrored
from tiny_training import CPU

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.config.load import load_params
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.task import ImageTransform, TrainTask
from vision_pipeline.training.trainer import fit


@pytest.mark.real
def test_five_epochs_end_at_the_loss_of_the_course(prepare: Prepare, real_data: Path) -> None:
    """784-128-64-10, SGD at 0.003, batches of 64 of all 60,000 images: the notebook prints 0.3909 at the end."""
    mirrored("mnist", real_data, "mnist/mnist")
    mnist = prepare("mnist")
    whole = [np.concatenate([read(split) for split in ("train", "val")]) for read in (mnist.inputs, mnist.targets)]
    (model,) = load_params("models.mnist-mlp")
    nothing = AugmentationPolicy(name="none", dataset=None, steps=TransformConfig())
    inputs = ImageTransform(nothing.apply, [0.5], [0.5], seed=0, device=CPU.device)
    torch.manual_seed(0)
    network = build_model("mlp", architecture_config(model), [28, 28, 1], 10)
    train, test = (
        ArrayDataset(*whole, CPU.device),
        ArrayDataset(mnist.inputs("test"), mnist.targets("test"), CPU.device),
    )
    task = TrainTask(
        name="course",
        network=network,
        train=train,
        val=test,
        train_transform=inputs.apply_train,
        eval_transform=inputs.apply_eval,
        class_weights=None,
        seed=0,
    )
    losses = [epoch.train_loss for epoch in fit(task, model.train, CPU, lambda epoch: None).history]
    assert len(losses) == 5
    assert all(before > after for before, after in pairwise(losses))
    assert losses[-1] == pytest.approx(0.391, abs=0.03)
