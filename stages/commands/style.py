"""`vision style`: one picture painted in the style of another, by a backbone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from PIL import Image

from stages.params.policy_checks import SMALLEST
from stages.project.console import Refusal, bar, say
from stages.project.files import read_json, replacing
from stages.project.paths import WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

_REPORTS = 5  # losses printed


def style(
    content: Annotated[Path, typer.Argument(help="The picture to paint.")],
    look: Annotated[Path, typer.Argument(help="The picture whose style it gets.", metavar="STYLE")],
    output: Annotated[Path, typer.Option(help="The painting, a PNG.")] = Path("styled.png"),
    backbone: Annotated[str, typer.Option(help="One of `backbones`: efficientnet_lite0, or a VGG19.")] = (
        "efficientnet_lite0"
    ),
    size: Annotated[int, typer.Option(min=SMALLEST, max=2048, help="Longest side, pixels.")] = 400,
    steps: Annotated[int, typer.Option(min=1, help="Of Adam, on the pixels.")] = 2000,
    rate: Annotated[float, typer.Option(min=1e-6, max=1.0, help="Of Adam, pixels being 0 to 1.")] = 0.003,
    style_weight: Annotated[
        float, typer.Option(min=0.0, help="Of the style beside the content, times what suits the backbone.")
    ] = 1.0,
) -> None:
    """Paint a picture in the style of another (Gatys et al.)."""
    picture = _picture(content, size)
    style_picture = _picture(look, size).resize(picture.size, Image.Resampling.BICUBIC)
    from stages.compute.device import set_up
    from stages.models.taps import style_layers
    from stages.styling.gatys import Weights, paint

    folder = WEIGHTS / backbone
    if backbone == "none":
        raise Refusal("--backbone is none, which has no weights; name one of `backbones` in params.yaml")
    if not folder.is_dir():
        raise Refusal(f"{folder} is missing; `dvc repro weights@{backbone}` makes it of a backbone in params.yaml")
    about = read_json(folder / "backbone.json")
    layers = style_layers(about["network"])
    machine = set_up("auto", "fp32", 0, convolutions=True)
    activations = _activations(folder, about, list(layers.style), layers.content, machine.device)
    weights = Weights(1.0, style_weight * layers.weight, layers.style)
    start, target = (_unit(one).to(machine.device) for one in (picture, style_picture))
    painting = _last(paint(start, target, activations, weights, steps, rate), steps)
    with replacing(output) as partial:
        Image.fromarray(_bytes(painting)).save(partial, format="PNG")
    say(f"{output}: {content.name} in the style of {look.name}, {picture.width}x{picture.height} pixels")


def _last(paintings: "Iterator[tuple[Tensor, float]]", steps: int) -> "Tensor":
    """The painting of the last step; prints losses on the way."""
    every = -(-steps // _REPORTS)
    with bar(steps, "painting", unit="step") as shown:
        for step, (image, loss) in enumerate(paintings, 1):
            shown.update(1)
            if step == 1 or step % every == 0:
                say(f"step {step}: loss {loss:,.6g}")
            painting = image
    return painting


def _picture(path: Path, size: int) -> Image.Image:
    """RGB, its longest side at most `size` pixels."""
    from stages.datasets.decode import Unreadable, read

    try:
        picture = Image.fromarray(read(path).squeeze()).convert("RGB")
    except Unreadable as error:
        raise Refusal(f"{path}: {error}; name a picture (JPEG, PNG, GIF, BMP, WebP or TIFF)") from error
    scale = min(1, size / max(picture.size))
    width, height = (round(side * scale) for side in picture.size)
    if min(width, height) < SMALLEST:
        mend = "raise --size" if scale < 1 else "name a larger picture"
        raise Refusal(f"{path} comes to {width}x{height} pixels; allowed: {SMALLEST} and above, so {mend}")
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _activations(
    folder: Path, about: dict[str, Any], style: list[str], content: str, device: Any
) -> "Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]":
    """A picture to the layers of its style, by name, and that of its content."""
    from stages.models.backbones import load_backbone
    from stages.models.taps import Taps

    network = load_backbone(about["library"], about["network"], folder / "weights.safetensors")
    layers = list(dict.fromkeys([*style, content]))
    taps = Taps(network, about, layers, device)

    def activations(unit: "Tensor") -> "tuple[dict[str, Tensor], Tensor]":
        found = dict(zip(layers, taps(unit), strict=True))
        return {name: found[name] for name in style}, found[content]

    return activations


def _unit(picture: Image.Image) -> "Tensor":
    import torch

    from stages.compute.pixels import to_unit

    return to_unit(torch.from_numpy(np.array(picture)[None]))


def _bytes(unit: "Tensor") -> np.ndarray:
    """uint8 (H, W, 3) of a picture (1, 3, H, W)."""
    pixels: np.ndarray = (unit[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels
