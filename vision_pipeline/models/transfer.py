"""Transfer learning: a small trained head on the features of a frozen pretrained backbone.

Source: Yosinski et al., How transferable are features in deep neural networks?, arXiv 1411.1792.
"""

from math import prod
from typing import Any, Self

import torch
from torch import Tensor, nn

from vision_pipeline.models.layers import MLP


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """The head: standardised features (N, D) to logits, with `settings` hidden, activation, dropout."""
    return MLP(prod(input_shape), classes, settings, batch_norm=False)


def attach_head(backbone: nn.Module, feature_mean: list[float], feature_std: list[float], head: nn.Module) -> nn.Module:
    """Backbone and head as one network: normalised float (N, C, H, W) to logits (N, classes).

    The backbone is frozen: no gradients, and evaluation mode always, or else batches passing through it in
    training mode would move its batch-norm statistics.

    Args:
        backbone: to features (N, D); it is changed in place.
        feature_mean, feature_std: of train's features, D each; the head was trained on standardised ones.
        head: from `build`.
    """
    return _TransferModel(backbone, feature_mean, feature_std, head)


class _TransferModel(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, mean: list[float], std: list[float], head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.head = head
        # not saved with the weights: a checkpoint names them beside its backbone
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the head; the backbone stays as it is."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float (N, C, H, W) to raw logits (N, classes)."""
        features = self.backbone(images).float()
        logits: Tensor = self.head((features - self.mean) / self.std)
        return logits
