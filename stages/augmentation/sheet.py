"""The preview sheet: originals above what training really sees of them."""

import textwrap

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure

from stages.augmentation.policy import Policy
from stages.augmentation.steps import Steps
from stages.augmentation.style import Restyle
from stages.project.fonts import render_png, shortened

_COLUMNS = 10
_EPOCHS = 4
_DPI = 120

# Inches.
_CELL, _GAP = 1.2, 0.08
_LEFT, _TOP, _MARGIN = 0.85, 1.05, 0.15
_BELOW_ORIGINALS = 0.15


def sheet(
    policy: Policy,
    images: np.ndarray,
    targets: np.ndarray,
    class_names: list[str],
    seed: int,
    restyle: Restyle | None = None,
) -> bytes:
    """A PNG of up to ten training images, and below them the same images in the first epochs.

    Each row below the originals is `policy.apply` on the images as the first batch of an epoch, with
    the key that training uses.

    Args:
        policy: what is drawn.
        images: uint8 (N, H, W, C), also memory-mapped; H = W.
        targets: int64 (N,), into `class_names`.
        class_names: titles of the columns.
        seed: `seed` of params.yaml.
        restyle: the policy's style.
    """
    chosen = choose(targets, _COLUMNS)
    pixels = np.stack([images[row] for row in chosen])
    titles = [class_names[targets[row]] for row in chosen]
    rows = [("original", pixels)]
    places = torch.tensor(chosen)
    for epoch in range(1, _EPOCHS + 1):
        looks = restyle(torch.from_numpy(pixels), seed, epoch, 0) if restyle else torch.from_numpy(pixels)
        title = f"view {epoch}" if restyle else f"epoch {epoch}"  # a style is for stored views alone
        rows.append((title, _seen(policy, looks, places, seed, epoch)))
    with mpl.rc_context():
        mpl.rcdefaults()  # a person's own matplotlibrc must not change the bytes
        mpl.rcParams["text.parse_math"] = False  # a class may be named "$x"
        return _drawn(rows, titles, policy.name, in_words(policy.steps))


def choose(targets: np.ndarray, count: int) -> list[int]:
    """Rows of up to `count` images: the first of each class, then the second of each, and so on."""
    rows = np.arange(len(targets))
    order = np.lexsort((rows, targets))
    ordered = targets[order]
    turn = np.empty(len(targets), np.int64)
    turn[order] = rows - np.searchsorted(ordered, ordered)
    first = np.lexsort((targets, turn))[:count]
    return [int(row) for row in sorted(first, key=lambda row: (targets[row], turn[row]))]


def in_words(steps: Steps) -> str:
    """The policy's settings in one sentence for people."""
    parts = [_often(name, getattr(steps, step)) for step, name in _FLIPS.items() if getattr(steps, step)]
    if steps.alternate_hflip:
        parts[0] = "flip left-right every other epoch"
    if steps.rotate:
        parts.append(_often(f"rotate {_range(steps.rotate.degrees, '°')}", steps.rotate.probability))
    if steps.scale:
        parts.append(_often(f"scale ×{_range(steps.scale.factor)}", steps.scale.probability))
    if steps.translate:
        shift = f"shift right {_range(steps.translate.right)} px, up {_range(steps.translate.up)} px"
        parts.append(_often(shift, steps.translate.probability))
    if steps.noise:
        parts.append(_often(f"noise of std {_range(steps.noise.std)}", steps.noise.probability))
    if steps.style:
        look = f"another look, at {_range(steps.style.strength)} of its strength"
        parts.append(_often(look, steps.style.probability))
    if steps.fill:
        parts.append(f"outside: {steps.fill}")
    return "; ".join(parts) or "changes nothing"


_FLIPS = {"hflip": "flip left-right", "vflip": "flip top-bottom", "rot90": "quarter turn clockwise"}


def _often(what: str, probability: float) -> str:
    return what if probability == 1 else f"{what} (in {probability:.0%})"


def _range(limits: list[float], unit: str = "") -> str:
    return f"{limits[0]:g}{unit} to {limits[1]:g}{unit}"


def _seen(policy: Policy, pixels: torch.Tensor, rows: torch.Tensor, seed: int, epoch: int) -> np.ndarray:
    unit = policy.apply(pixels, rows, seed, epoch, 0)
    return (unit * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _drawn(rows: list[tuple[str, np.ndarray]], titles: list[str], heading: str, settings: str) -> bytes:
    width = max(_LEFT + len(titles) * (_CELL + _GAP) + _MARGIN, 6.0)
    height = _TOP + len(rows) * (_CELL + _GAP) + _BELOW_ORIGINALS + _MARGIN
    figure = Figure(figsize=(width, height), dpi=_DPI)
    figure.text(_MARGIN / width, 1 - 0.3 / height, heading, fontsize=13, weight="bold")
    words = textwrap.fill(settings, int(width * 11.5))
    figure.text(_MARGIN / width, 1 - 0.38 / height, words, fontsize=9, va="top")
    for index, (label, images) in enumerate(rows):
        top = _TOP + index * (_CELL + _GAP) + (_BELOW_ORIGINALS if index else 0)
        figure.text((_LEFT - _GAP) / width, 1 - (top + _CELL / 2) / height, label, fontsize=9, ha="right", va="center")
        for column, image in enumerate(images):
            left = _LEFT + column * (_CELL + _GAP)
            axes = figure.add_axes(
                (left / width, 1 - (top + _CELL) / height, _CELL / width, _CELL / height), xticks=[], yticks=[]
            )
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="auto")
            if index == 0:
                axes.set_title(shortened(titles[column], 16), fontsize=9, pad=4)
    return render_png(figure)
