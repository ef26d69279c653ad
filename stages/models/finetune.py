"""Fine-tuning: a pretrained backbone, from a layer on trained with a linear head on top of it.

Source: Yosinski et al., How transferable are features in deep neural networks?, arXiv 1411.1792, section 4.
"""

from itertools import takewhile
from typing import Any, Self

from torch import Tensor, nn

from stages.models.backbones import backbone, feature_size
from stages.params.fields import did_you_mean
from stages.project.console import Refusal


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Backbone and head, with random weights: `load_weights` of its `backbone` gives it the pretrained ones.

    Args:
        settings: `backbone` with its `library` and `network`; `unfreeze`, the first of its layers that trains, "all"
            or "none".
        input_shape: [height, width, 3] of an image.
        classes: the number of logits.

    Raises:
        Refusal: there is no such network or layer, or it cannot take such images.
    """
    body = backbone(settings["backbone"]["library"], settings["backbone"]["network"])
    height, width, _ = input_shape
    features = feature_size(body, height, width)
    return _Finetuned(body, nn.Linear(features, classes), settings["unfreeze"])


class _Finetuned(nn.Module):
    def __init__(self, body: nn.Module, output: nn.Linear, unfreeze: str) -> None:
        super().__init__()
        self.backbone, self.output = body, output
        self._frozen = _before(body, unfreeze)
        for module in self._frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of what trains; the rest stays in evaluation mode: its batch norms keep their statistics."""
        super().train(mode)
        for module in self._frozen:
            module.training = False
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Normalised float (N, 3, H, W) to raw logits (N, classes)."""
        logits: Tensor = self.output(self.backbone(images))
        return logits


def _before(body: nn.Module, unfreeze: str) -> list[nn.Module]:
    """The modules of `body`, in its own order, that come before the first one that trains.

    Raises:
        Refusal: there is no such module.
    """
    modules = dict(body.named_modules())
    if unfreeze == "all":
        return []
    if unfreeze != "none" and unfreeze not in modules:
        known = ["all", "none", *(name for name, _ in body.named_children())]
        raise Refusal(f"models.*.unfreeze is {unfreeze!r}, no layer of the backbone; {did_you_mean(unfreeze, known)}")
    return [modules[name] for name in takewhile(lambda name: name != unfreeze, modules)]
