"""The preview sheet of a policy: original images, and below them the augmented ones of the first epochs."""

import textwrap

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from vision_pipeline.augmentation.offline import StyleAugmentation
from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.core.fonts import render_png, truncate
from vision_pipeline.runtime.preprocessing import float_to_uint8

_NUM_COLUMNS = 10
_NUM_EPOCHS = 4
_DPI = 120

# sizes in inches
_CELL, _GAP = 1.2, 0.08
_LEFT, _TOP, _MARGIN = 0.85, 1.05, 0.15
_BELOW_ORIGINALS = 0.15

_FLIP_DESCRIPTIONS = {"hflip": "flip left-right", "vflip": "flip top-bottom", "rot90": "quarter turn clockwise"}


def render_preview(
    policy: AugmentationPolicy,
    images: np.ndarray,
    targets: np.ndarray,
    class_names: list[str],
    *,
    seed: int,
    style_augmentation: StyleAugmentation | None = None,
) -> bytes:
    """Return a PNG of up to ten training images, and below them the same images in the first epochs.

    Each row below the originals is `policy.apply` on the images as the first batch of an epoch, with
    the key that training uses.

    Args:
        policy: to apply.
        images: uint8 (N, H, W, C), also memory-mapped; H = W.
        targets: int64 (N,), indices of `class_names`.
        class_names: for the titles of the columns.
        seed: `seed` of params.yaml.
        style_augmentation: the policy's style.
    """
    chosen_rows = pick_per_class(targets, _NUM_COLUMNS)
    pixels = np.stack([images[row] for row in chosen_rows])
    titles = [class_names[targets[row]] for row in chosen_rows]
    image_rows = [("original", pixels)]
    indices = torch.tensor(chosen_rows)
    for epoch in range(1, _NUM_EPOCHS + 1):
        styled = torch.from_numpy(pixels)
        if style_augmentation:
            styled = style_augmentation(styled, seed=seed, epoch=epoch, step=0)
        title = f"view {epoch}" if style_augmentation else f"epoch {epoch}"  # only stored views get a style
        augmented = policy.apply(styled, indices, seed=seed, epoch=epoch, step=0)
        image_rows.append((title, float_to_uint8(augmented).numpy()))
    with mpl.rc_context():
        mpl.rcdefaults()  # a user's own matplotlibrc must not change the bytes
        mpl.rcParams["text.parse_math"] = False  # a class name may begin with "$"
        return _draw_figure(image_rows, titles, policy.name, describe_policy(policy.steps))


def pick_per_class(targets: np.ndarray, count: int) -> list[int]:
    """Return rows of up to `count` images: the first of each class, then the second of each, and so on."""
    rows = np.arange(len(targets))
    order = np.lexsort((rows, targets))
    ordered = targets[order]
    rank_in_class = np.empty(len(targets), np.int64)
    rank_in_class[order] = rows - np.searchsorted(ordered, ordered)
    picked = np.lexsort((targets, rank_in_class))[:count]
    return [int(row) for row in sorted(picked, key=lambda row: (targets[row], rank_in_class[row]))]


def describe_policy(transforms: TransformConfig) -> str:
    """Return the policy's settings in one sentence."""
    parts = [
        _format_probability(name, getattr(transforms, step))
        for step, name in _FLIP_DESCRIPTIONS.items()
        if getattr(transforms, step)
    ]
    if transforms.alternate_hflip:
        parts[0] = "flip left-right every other epoch"
    if transforms.rotate:
        parts.append(
            _format_probability(
                f"rotate {_format_range(transforms.rotate.degrees, '°')}", transforms.rotate.probability
            )
        )
    if transforms.scale:
        parts.append(
            _format_probability(f"scale ×{_format_range(transforms.scale.factor)}", transforms.scale.probability)
        )
    if transforms.translate:
        right, up = _format_range(transforms.translate.right), _format_range(transforms.translate.up)
        parts.append(_format_probability(f"shift right {right} px, up {up} px", transforms.translate.probability))
    if transforms.noise:
        parts.append(
            _format_probability(f"noise of std {_format_range(transforms.noise.std)}", transforms.noise.probability)
        )
    if transforms.style:
        style = f"another look, at {_format_range(transforms.style.strength)} of its strength"
        parts.append(_format_probability(style, transforms.style.probability))
    if transforms.fill:
        parts.append(f"outside: {transforms.fill}")
    return "; ".join(parts) or "changes nothing"


def _format_probability(description: str, probability: float) -> str:
    return description if probability == 1 else f"{description} (in {probability:.0%})"


def _format_range(limits: list[float], unit: str = "") -> str:
    return f"{limits[0]:g}{unit} to {limits[1]:g}{unit}"


def _draw_figure(image_rows: list[tuple[str, np.ndarray]], titles: list[str], heading: str, settings: str) -> bytes:
    """Draw labelled rows of images, uint8 (n, H, W, C) each, below a heading, and return the PNG."""
    width = max(_LEFT + len(titles) * (_CELL + _GAP) + _MARGIN, 6.0)
    height = _TOP + len(image_rows) * (_CELL + _GAP) + _BELOW_ORIGINALS + _MARGIN
    figure = Figure(figsize=(width, height), dpi=_DPI)
    figure.text(_MARGIN / width, 1 - 0.3 / height, heading, fontsize=13, weight="bold")
    wrapped_settings = textwrap.fill(settings, int(width * 11.5))
    figure.text(_MARGIN / width, 1 - 0.38 / height, wrapped_settings, fontsize=9, va="top")
    for index, (label, images) in enumerate(image_rows):
        top = _TOP + index * (_CELL + _GAP) + (_BELOW_ORIGINALS if index else 0)
        figure.text((_LEFT - _GAP) / width, 1 - (top + _CELL / 2) / height, label, fontsize=9, ha="right", va="center")
        for column, image in enumerate(images):
            left = _LEFT + column * (_CELL + _GAP)
            axes = figure.add_axes(
                (left / width, 1 - (top + _CELL) / height, _CELL / width, _CELL / height), xticks=[], yticks=[]
            )
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="auto")
            if index == 0:
                axes.set_title(truncate(titles[column], 16), fontsize=9, pad=4)
    return render_png(figure)
