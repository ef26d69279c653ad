"""`vision filters`: the filters of a model's first convolution, and the map that each makes of an image."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from stages.commands.predict import checkpoint_path
from stages.commands.predictions.images import Asked, draw, read
from stages.datasets.decode import grey_bits
from stages.project.console import Refusal, say
from stages.project.paths import PREPARED

if TYPE_CHECKING:
    from stages.models.checkpoint import Checkpoint


def filters(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    image: Annotated[Path | None, typer.Argument(help="An image file; without it, one of the test set.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw from the test set.")] = 0,
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("filters.png"),
) -> None:
    """Draw what each filter of a model's first convolution answers to an image: as many maps as filters."""
    from stages.commands.filters_picture import draw_filters
    from stages.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_path(model))
    asked = _image(checkpoint, image, seed)
    assert asked.pixels is not None
    layer, kernels, maps = first_convolution(checkpoint, asked.pixels)
    draw_filters(output, checkpoint.name, asked.pixels, kernels, maps)
    count, depth, height, width = kernels.shape
    say(f"{checkpoint.name}, {layer}: {count} filters of {height} x {width} x {depth}")
    say(f"of {asked.name} they make {count} maps of {maps.shape[1]} x {maps.shape[2]}, drawn in {output}")


def first_convolution(checkpoint: "Checkpoint", pixels: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """The layer that an image meets first among a model's convolutions.

    Args:
        checkpoint: of a model of images.
        pixels: uint8 (H, W, C), as the model takes them.

    Returns:
        The layer's name; its filters, float32 (K, D, F, F); its answer to the image, float32 (K, H', W'), before any
        activation.

    Raises:
        Refusal: the model has no convolution.
    """
    import torch
    from torch import nn

    from stages.compute.inference import evaluating
    from stages.models.checkpoint import from_pixels

    network, met = from_pixels(checkpoint), []
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, _, answer, name=name: met.append((name, layer.weight, answer[0])))
    with evaluating(network), torch.inference_mode():
        network(torch.from_numpy(pixels[None].copy()))
    if not met:
        raise Refusal(f"{checkpoint.name} has no convolution, so there are no filters; name a cnn or speednet")
    name, weight, answer = met[0]
    return name, weight.detach().numpy(), answer.numpy()


def _image(checkpoint: "Checkpoint", path: Path | None, seed: int) -> Asked:
    """One image as the model takes it.

    Raises:
        Refusal: the model takes none, or the image cannot be read.
    """
    shape, names = checkpoint.input_shape, checkpoint.class_names
    if len(shape) != 3:
        raise Refusal(f"{checkpoint.name} takes no images; name a model of images")
    if path is None:
        return next(draw(PREPARED / str(checkpoint.training.get("dataset")), 1, seed, shape, names))
    if not path.is_file():
        raise Refusal(f"{path} is no file; name an image")
    asked = next(read([path], shape, names, grey_bits(checkpoint.provenance)))
    if asked.error:
        raise Refusal(f"{path} cannot be read: {asked.error}")
    return asked
