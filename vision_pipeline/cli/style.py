"""`vision style`: a picture painted in the style of another, by the features of a backbone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from PIL import Image

from vision_pipeline.core.errors import ArtifactError, DataError, UserError
from vision_pipeline.core.files import atomic_path, read_json
from vision_pipeline.core.limits import MIN_BACKBONE_SIZE
from vision_pipeline.core.paths import WEIGHTS
from vision_pipeline.core.progress import progress_bar

if TYPE_CHECKING:
    from torch import Tensor

_NUM_LOSS_REPORTS = 5  # losses printed


def style(
    content: Annotated[Path, typer.Argument(help="The picture to paint.")],
    style_image: Annotated[Path, typer.Argument(help="The picture whose style it gets.", metavar="STYLE")],
    output: Annotated[Path, typer.Option(help="The painting, a PNG.")] = Path("styled.png"),
    backbone: Annotated[str, typer.Option(help="One of `backbones`: efficientnet_lite0, or a VGG19.")] = (
        "efficientnet_lite0"
    ),
    size: Annotated[int, typer.Option(min=MIN_BACKBONE_SIZE, max=2048, help="Longest side, pixels.")] = 400,
    steps: Annotated[int, typer.Option(min=1, help="Of Adam, on the pixels.")] = 2000,
    lr: Annotated[float, typer.Option("--rate", min=1e-6, max=1.0, help="Of Adam, pixels being 0 to 1.")] = 0.003,
    style_weight: Annotated[
        float, typer.Option(min=0.0, help="Of the style beside the content, times what suits the backbone.")
    ] = 1.0,
) -> None:
    """Paint a picture in the style of another (Gatys et al.)."""
    picture = _load_picture(content, size)
    style_picture = _load_picture(style_image, size).resize(picture.size, Image.Resampling.BICUBIC)
    from vision_pipeline.models.activations import get_style_layers
    from vision_pipeline.runtime.device import setup_runtime
    from vision_pipeline.runtime.preprocessing import float_to_uint8
    from vision_pipeline.style_transfer.gatys import LossWeights, optimize_image

    folder = WEIGHTS / backbone
    if backbone == "none":
        raise UserError("--backbone is none, which has no weights; name one of `backbones` in params.yaml")
    if not folder.is_dir():
        raise ArtifactError(
            f"{folder} is missing; `dvc repro weights@{backbone}` makes it of a backbone in params.yaml"
        )
    metadata = read_json(folder / "backbone.json")
    layers = get_style_layers(metadata["network"])
    runtime = setup_runtime("auto", "fp32", 0, has_convolutions=True)
    extract_features = _make_feature_extractor(
        folder, metadata, style=list(layers.style), content=layers.content, device=runtime.device
    )
    weights = LossWeights(1.0, style_weight * layers.weight, layers.style)
    start, target = (_to_unit_tensor(image).to(runtime.device) for image in (picture, style_picture))
    paintings = optimize_image(start, target, activations=extract_features, weights=weights, steps=steps, lr=lr)
    pixels = float_to_uint8(_run_steps(paintings, steps))[0]
    with atomic_path(output) as partial:
        Image.fromarray(pixels.cpu().numpy()).save(partial, format="PNG")
    typer.echo(f"{output}: {content.name} in the style of {style_image.name}, {picture.width}x{picture.height} pixels")


def _run_steps(paintings: "Iterator[tuple[Tensor, float]]", steps: int) -> "Tensor":
    """Run all steps with a progress bar, print some of the losses, and return the last painting."""
    report_every = -(-steps // _NUM_LOSS_REPORTS)
    with progress_bar(steps, "painting", unit="step") as pbar:
        for step, (image, loss) in enumerate(paintings, 1):
            pbar.update(1)
            if step == 1 or step % report_every == 0:
                typer.echo(f"step {step}: loss {loss:,.6g}")
            painting = image
    return painting


def _load_picture(path: Path, size: int) -> Image.Image:
    """Read a picture as RGB, scaled down to at most `size` pixels on its longest side."""
    from vision_pipeline.data.decode import ImageDecodeError, read_image

    try:
        picture = Image.fromarray(read_image(path).squeeze()).convert("RGB")
    except ImageDecodeError as error:
        raise DataError(f"{path}: {error}; name a picture (JPEG, PNG, GIF, BMP, WebP or TIFF)") from error
    scale = min(1, size / max(picture.size))
    width, height = (round(side * scale) for side in picture.size)
    if min(width, height) < MIN_BACKBONE_SIZE:
        fix = "raise --size" if scale < 1 else "name a larger picture"
        raise DataError(f"{path} comes to {width}x{height} pixels; allowed: {MIN_BACKBONE_SIZE} and above, so {fix}")
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _make_feature_extractor(
    folder: Path, metadata: dict[str, Any], *, style: list[str], content: str, device: Any
) -> "Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]":
    """Return a function from a picture to its features in the style layers, by name, and in the content layer."""
    from vision_pipeline.models.activations import ActivationExtractor
    from vision_pipeline.models.backbones import load_backbone

    network = load_backbone(metadata["library"], metadata["network"], folder / "weights.safetensors")
    layers = list(dict.fromkeys([*style, content]))
    extractor = ActivationExtractor(network, metadata, layers, device)

    def extract_features(image: "Tensor") -> "tuple[dict[str, Tensor], Tensor]":
        features = dict(zip(layers, extractor(image), strict=True))
        return {name: features[name] for name in style}, features[content]

    return extract_features


def _to_unit_tensor(picture: Image.Image) -> "Tensor":
    import torch

    from vision_pipeline.runtime.preprocessing import uint8_to_float

    return uint8_to_float(torch.from_numpy(np.array(picture)[None]))
