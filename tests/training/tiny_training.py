"""A tiny training for the tests of the loop."""

import numpy as np
import torch
from torch import Tensor, nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.task import TrainTask

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")
SETTINGS = TrainConfig(
    epochs=3, batch_size=8, optimizer="adam", lr=0.05, head_lr=1.0, bias_lr=1.0, momentum=0.0, weight_decay=0.0,
    schedule="constant", warmup=0.0, label_smoothing=0.0, mixup=0.0, cutmix=0.0, class_weights="none",
    clip_norm=0.0, ema=0.0, compile=False, patience=0,
)  # fmt: skip


class Watched(nn.Module):
    """A classifier that notes in which mode it was called."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.dropout, self.linear, self.modes = nn.Dropout(dropout), nn.Linear(4, 2), []

    def forward(self, inputs):
        self.modes.append(self.training)
        return self.linear(self.dropout(inputs))


def a_task(dropout: float = 0.2) -> TrainTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(48, 4)).astype(np.float16)
    targets = (inputs[:, 0] > 0).astype(np.int64)
    torch.manual_seed(0)
    train, val = (
        ArrayDataset(inputs[:32], targets[:32], CPU.device),
        ArrayDataset(inputs[32:], targets[32:], CPU.device),
    )
    network = Watched(dropout)
    return TrainTask(
        name="toy",
        network=network,
        train=train,
        val=val,
        train_transform=lambda batch, rows: batch.inputs[rows].float(),
        eval_transform=Tensor.float,
        class_weights=None,
        seed=0,
    )
