"""Saving and loading a network"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from stages.commands.tour_steps.material import Material
from stages.models.checkpoint import load_checkpoint, rebuild, save_checkpoint
from stages.models.loading import load_weights
from stages.project.console import Refusal


def state_dict(given: Material) -> None:
    """All that training has found is in `state_dict()`, a dictionary from names to tensors; the architecture is not."""
    for name, tensor in given.network(512, 256, 128).state_dict().items():
        print(f"{name:24}{list(tensor.shape)}")


def another_size(given: Material) -> None:
    """Weights go only into a network of the same sizes.

    torch's `load_state_dict` raises, but has by then copied what fits. This pipeline checks all sizes first.
    """
    saved, other = given.network(512, 256, 128).state_dict(), given.network(400, 200, 100)
    before = other.output.bias.detach().clone()
    try:
        load_weights(other, saved)
    except Refusal as refusal:
        print(str(refusal).split(";")[0])
    print("unchanged:", torch.equal(other.output.bias, before))
    try:
        other.load_state_dict(saved)
    except RuntimeError:
        print("torch alone has copied output.bias:", torch.equal(other.output.bias, saved["output.bias"]))


def a_checkpoint(given: Material) -> None:
    """A checkpoint holds the hyperparameters beside the weights: one file rebuilds the network, with its dropout."""
    network = given.network(512, 256, 128, dropout=0.3).eval()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pth"
        save_checkpoint(path, given.checkpoint(network, 512, 256, 128, dropout=0.3))
        checkpoint = load_checkpoint(path)
    again: Any = rebuild(checkpoint)
    print(checkpoint.architecture, checkpoint.settings)
    print("same scores:", torch.equal(again(given.images()), network(given.images())), "dropout:", again.dropout.p)
