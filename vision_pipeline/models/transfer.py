"""Transfer learning: a small trained head on the features of a frozen pretrained backbone.

Source: Yosinski et al., How transferable are features in deep neural networks?, arXiv 1411.1792.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Self

import torch
from torch import Tensor, nn

from vision_pipeline.models.backbones import create_backbone
from vision_pipeline.models.layers import MLP
from vision_pipeline.models.loading import load_weights


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return the head: standardised features (N, D) to logits (N, classes).

    Args:
        settings: `hidden`, `activation` and `dropout`.
        input_shape: [D], the number of features.
        classes: the number of logits.
    """
    return MLP(prod(input_shape), classes, settings, batch_norm=False)


def join_backbone(
    backbone_info: Mapping[str, Any],
    head: nn.Module,
    *,
    feature_mean: Sequence[float],
    feature_std: Sequence[float],
    weights: Mapping[str, Tensor] | None = None,
) -> nn.Module:
    """Create a backbone and put a head on it: see `attach_head`, which takes a backbone that is there already.

    Args:
        backbone_info: `library` and `network` of the backbone.
        head: from `build`.
        feature_mean, feature_std: of the features that the head was trained on, D each.
        weights: the backbone's state dict; None leaves its weights random, drawn from torch's global generator.

    Raises:
        ConfigError: the library has no such network.
        ArtifactError: the weights do not fit the backbone.
    """
    backbone = create_backbone(backbone_info["library"], backbone_info["network"])
    if weights is not None:
        load_weights(backbone, weights)
    return attach_head(backbone, head, feature_mean, feature_std)


def attach_head(
    backbone: nn.Module,
    head: nn.Module,
    feature_mean: Sequence[float] = (0.0,),
    feature_std: Sequence[float] = (1.0,),
) -> nn.Module:
    """Return backbone and head as one network: normalised float (N, C, H, W) to logits (N, classes).

    The backbone is frozen: it gets no gradients and is always in evaluation mode. In training mode, the batches that
    pass through it would change its batch-norm statistics.

    Args:
        backbone: images to features (N, D); it is changed in place.
        head: from `build`; it takes standardised features.
        feature_mean, feature_std: of the training features, D each; one number for all leaves them as they are.
    """
    return _TransferModel(backbone, head, feature_mean, feature_std)


class _TransferModel(nn.Module):
    """A frozen `backbone` and a trained `head`, with the standardisation of the features in between."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, head: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.head = head
        # not saved with the weights: a checkpoint holds them beside its backbone
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the head; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Compute raw logits (N, classes) of normalised float (N, C, H, W)."""
        features = self.backbone(images).float()
        logits: Tensor = self.head((features - self.mean) / self.std)
        return logits
