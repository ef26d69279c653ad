"""Saving and loading a network"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from vision_pipeline.cli.tour.tour_data import TourData
from vision_pipeline.core.errors import UserError
from vision_pipeline.models.checkpoint import build_from_checkpoint, load_checkpoint, save_checkpoint
from vision_pipeline.models.loading import load_weights


def state_dict(data: TourData) -> None:
    """All that training has found is in `state_dict()`, a dictionary from names to tensors; the architecture is not."""
    for name, tensor in data.build_network(512, 256, 128).state_dict().items():
        print(f"{name:24}{list(tensor.shape)}")


def another_size(data: TourData) -> None:
    """Weights go only into a network of the same sizes.

    torch's `load_state_dict` raises, but has by then copied what fits. This pipeline checks all sizes first.
    """
    saved, other = data.build_network(512, 256, 128).state_dict(), data.build_network(400, 200, 100)
    before = other.output.bias.detach().clone()
    try:
        load_weights(other, saved)
    except UserError as error:
        print(str(error).split(";")[0])
    print("unchanged:", torch.equal(other.output.bias, before))
    try:
        other.load_state_dict(saved)
    except RuntimeError:
        print("torch alone has copied output.bias:", torch.equal(other.output.bias, saved["output.bias"]))


def a_checkpoint(data: TourData) -> None:
    """A checkpoint holds the hyperparameters beside the weights: one file rebuilds the network, with its dropout."""
    network = data.build_network(512, 256, 128, dropout=0.3).eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pth"
        save_checkpoint(path, data.make_checkpoint(network, 512, 256, 128, dropout=0.3))
        checkpoint = load_checkpoint(path)
    rebuilt: Any = build_from_checkpoint(checkpoint)
    print(checkpoint.architecture, checkpoint.settings)
    same_scores = torch.equal(rebuilt(data.load_images()), network(data.load_images()))
    print("same scores:", same_scores, "dropout:", rebuilt.dropout.p)
