"""From an architecture's name and settings to a network.

An architecture is a file of this folder with `build(settings, input_shape, classes)`. It is imported only when
it is asked for, so that a new one is no dependency of the models that are there already.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

from torch import Tensor, nn

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.models import ModelConfig
from vision_pipeline.core.errors import UserError

_NUM_INIT_INPUTS = 5000


def build_model(architecture: str, settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """A network with freshly initialised weights, drawn from torch's global generator.

    Args:
        architecture: a file of this folder: mlp, cnn, speednet, transfer, finetune, recurrent.
        settings: the architecture's own keys (see `architecture_config`); of finetune also its `backbone`.
        input_shape: of one input as it is stored: [height, width, channels], [dimensions] of features,
            [length] of sequences, [] of a text.
        classes: the number of logits.

    Returns:
        Takes normalised float (N, C, H, W) or (N, D), gives raw logits (N, classes); or int64 symbols (N, T),
        and of a text gives (N, T, classes).

    Raises:
        UserError: there is no such architecture, or it cannot take such inputs.
    """
    if architecture not in (allowed := _list_architectures()):
        raise UserError(f"architecture is {architecture!r}; {did_you_mean(architecture, allowed)}")
    module = import_module(f"vision_pipeline.models.{architecture}")
    network: nn.Module = module.build(settings, input_shape, classes)
    return network


def init_from_data(network: nn.Module, get_inputs: Callable[[int], Tensor]) -> None:
    """Compute those layers of a network that are made from training data instead of being trained.

    Args:
        network: on its device; it has such layers when it has a method `hook`.
        get_inputs: a number to that many training inputs, or all, as the network takes them, not augmented.
    """
    hook: Callable[[Tensor], None] | None = getattr(network, "init_from_data", None)
    if hook is not None:
        hook(get_inputs(_NUM_INIT_INPUTS))


def architecture_config(model: ModelConfig) -> dict[str, Any]:
    """The architecture's own keys of a model's params: `hidden`, ..."""
    return model.model_dump(exclude={"architecture", *ModelConfig.model_fields})


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """The numbers of all parameters and of those that training changes."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)


def _list_architectures() -> list[str]:
    """Those that params.yaml may name; a checkpoint, which comes from outside, can name no other module."""
    return [
        get_args(config_class.model_fields["architecture"].annotation)[0]
        for config_class in ModelConfig.__subclasses__()
    ]
