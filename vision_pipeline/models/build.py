"""The network of an architecture's name and settings.

An architecture is a module of this package with a function `build(settings, input_shape, classes)`. It is imported only
when it is requested, so that a new architecture is no dependency of the models that exist already.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, get_args

from torch import Tensor, nn

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.models import ModelConfig
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.logging import logger

_NUM_INIT_INPUTS = 5000


def build_model(architecture: str, settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return a network with newly initialised weights, drawn from torch's global generator.

    Args:
        architecture: a module of this package: mlp, cnn, speednet, transfer, finetune, recurrent.
        settings: the architecture's own keys (see `architecture_config`); of finetune also its `backbone`. A key that
            is missing is off: an older checkpoint lacks the keys that were added later.
        input_shape: of one input as it is stored: [height, width, channels], [dimensions] of features,
            [length] of sequences, [] of a text.
        classes: the number of logits.

    Returns:
        A module that takes normalised float (N, C, H, W) or (N, D), or int64 symbols (N, T). It returns raw logits
        (N, classes); of a text (N, T, classes).

    Raises:
        ConfigError: there is no such architecture, or it cannot take such inputs.
    """
    if architecture not in (configs := _list_architectures()):
        raise ConfigError(f"architecture is {architecture!r}; {did_you_mean(architecture, list(configs))}")
    module = import_module(f"vision_pipeline.models.{architecture}")
    network: nn.Module = module.build(_get_off_values(configs[architecture]) | settings, input_shape, classes)
    return network


def init_from_data(network: nn.Module, get_inputs: Callable[[int], Tensor]) -> None:
    """Compute the layers of a network that are derived from training data instead of being trained.

    Args:
        network: on its device; it has such layers if it has a method `init_from_data(inputs)`.
        get_inputs: takes a number; returns that many training inputs, or all, as the network takes them, not augmented.
    """
    hook: Callable[[Tensor], None] | None = getattr(network, "init_from_data", None)
    if hook is not None:
        inputs = get_inputs(_NUM_INIT_INPUTS)
        logger.debug(f"{type(network).__name__} is initialised from {len(inputs)} training inputs")
        hook(inputs)


def architecture_config(model: ModelConfig) -> dict[str, Any]:
    """Return the architecture's own keys of a model's params: `hidden`, ..."""
    return model.model_dump(exclude={"architecture", *ModelConfig.model_fields})


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return the number of all parameters and the number of those that are trained."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)


def _list_architectures() -> dict[str, type[ModelConfig]]:
    """Return the architectures of the schema; a checkpoint, which may come from outside, can name no other module."""
    return {
        get_args(config.model_fields["architecture"].annotation)[0]: config for config in ModelConfig.__subclasses__()
    }


def _get_off_values(config: type[ModelConfig]) -> dict[str, Any]:
    """Return the values that an architecture's own keys have where they are left out."""
    own_fields = {name: field for name, field in config.model_fields.items() if name not in ModelConfig.model_fields}
    return {name: field.get_default() for name, field in own_fields.items() if not field.is_required()}
