"""Fine-tuning: a pretrained backbone, trained from one of its layers on, with a linear head on top of it.

Source: Yosinski et al., How transferable are features in deep neural networks?, arXiv 1411.1792, section 4.
"""

from itertools import takewhile
from typing import Any, Self

from torch import Tensor, nn

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.backbones import create_backbone, infer_feature_size


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return backbone and head with random weights; the pretrained ones are loaded into its submodule `backbone`.

    Args:
        settings: `backbone` with its `library` and `network`; `unfreeze`, the first layer that is trained, "all"
            or "none".
        input_shape: [height, width, 3] of an image.
        classes: the number of logits.

    Raises:
        ConfigError: there is no such network or layer, or it cannot take such images.
    """
    backbone = create_backbone(settings["backbone"]["library"], settings["backbone"]["network"])
    height, width, _ = input_shape
    num_features = infer_feature_size(backbone, height, width)
    return _FinetuneModel(backbone, nn.Linear(num_features, classes), settings["unfreeze"])


class _FinetuneModel(nn.Module):
    """A `backbone` that is frozen up to the layer `unfreeze`, and a linear `output`."""

    def __init__(self, backbone: nn.Module, output: nn.Linear, unfreeze: str) -> None:
        super().__init__()
        self.backbone, self.output = backbone, output
        self._frozen_modules = _list_frozen_modules(backbone, unfreeze)
        for module in self._frozen_modules:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the trained layers.

        The frozen ones stay in evaluation mode, so that their batch norms keep their statistics.
        """
        super().train(mode)
        for module in self._frozen_modules:
            module.training = False
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Compute raw logits (N, classes) of normalised float (N, 3, H, W)."""
        logits: Tensor = self.output(self.backbone(images))
        return logits


def _list_frozen_modules(backbone: nn.Module, unfreeze: str) -> list[nn.Module]:
    """Return the modules of `backbone`, in its own order, that come before the first trained one.

    Raises:
        ConfigError: there is no such module.
    """
    modules = dict(backbone.named_modules())
    if unfreeze == "all":
        return []
    if unfreeze != "none" and unfreeze not in modules:
        allowed = ["all", "none", *(name for name, _ in backbone.named_children())]
        raise ConfigError(
            f"models.*.unfreeze is {unfreeze!r}, no layer of the backbone; {did_you_mean(unfreeze, allowed)}"
        )
    return [modules[name] for name in takewhile(lambda name: name != unfreeze, modules)]
