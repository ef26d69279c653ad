"""The plots of a model's report: learning curves, confusion, reliability, the worst mistakes.

Mistakes on images are shown as images. Mistakes on texts and sequences are shown as lines of text around a token.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vision_pipeline.core.fonts import cut_to_width, measure_width, truncate
from vision_pipeline.evaluation.metrics import Predictions, Reliability
from vision_pipeline.evaluation.plot_style import BLUE, GREEN, INK, MUTED, ORANGE, RED, plot_style, save_figure
from vision_pipeline.evaluation.tokens import TokenContext

# In a larger confusion matrix, numbers or names would be too small to read.
_MAX_NUMBERED_CLASSES = 20
_MAX_NAMED_CLASSES = 40
_MAX_LETTER_CLASSES = 80  # classes whose names are single letters
_MISTAKES_PER_ROW = 6
_CONTEXT_WIDTH, _CONTEXT_LINE_HEIGHT = 9.6, 0.27  # inches
_CONTEXT_FONT_SIZE = 9.5  # points
_CHAR_ADVANCE = 0.602  # width of a letter of DejaVu Sans Mono, as a share of the font size
_CHAR_WIDTH = _CONTEXT_FONT_SIZE * _CHAR_ADVANCE / 72 / _CONTEXT_WIDTH  # share of the figure's width
_MAX_CHARS_BEFORE, _MAX_CHARS = 44, 57  # the widest text before a token, and in all, in Latin letters


def plot_learning_curves(
    path: Path, history: pd.DataFrame, best_epoch: int, other_histories: Sequence[pd.DataFrame] = ()
) -> None:
    """Plot loss and accuracy on the training and validation split by epoch, with a line at the kept epoch.

    Args:
        path: path of the PNG file.
        history: columns epoch, train_loss, val_loss, train_accuracy, val_accuracy.
        best_epoch: epoch whose weights were kept.
        other_histories: histories of the trainings with other seeds; a band spans them all.
    """
    with plot_style():
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        loss, accuracy = figure.subplots(1, 2)
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            if other_histories:
                _plot_seed_band(axes, [history, *other_histories], quantity)
            _plot_curves(axes, history, quantity, best_epoch)
        loss.set_title("Loss")
        loss.set_ylim(bottom=0)
        accuracy.set_title("Accuracy")
        upper_limit = min(accuracy.get_ylim()[1], 1.02)  # room for the line at 100 %, but no tick above it
        accuracy.set_yticks([tick for tick in accuracy.get_yticks() if tick < 1 + 1e-9])
        accuracy.set_ylim(accuracy.get_ylim()[0], upper_limit)
        accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
        save_figure(figure, path)


def _plot_seed_band(axes: Axes, histories: Sequence[pd.DataFrame], quantity: str) -> None:
    """Fill the range between the lowest and the highest value of all trainings that reached an epoch."""
    by_epoch = pd.concat(histories).groupby("epoch")
    for split, colour in (("train", BLUE), ("val", ORANGE)):
        lowest, highest = by_epoch[f"{split}_{quantity}"].min(), by_epoch[f"{split}_{quantity}"].max()
        axes.fill_between(lowest.index, lowest, highest, color=colour, alpha=0.25, linewidth=0)
    axes.fill_between([], [], color=MUTED, alpha=0.25, linewidth=0, label=f"all {len(histories)} seeds")


def _plot_curves(axes: Axes, history: pd.DataFrame, quantity: str, best_epoch: int) -> None:
    marker = "o" if len(history) <= 30 else None
    for split, title, colour in (("train", "training", BLUE), ("val", "validation", ORANGE)):
        values = history[f"{split}_{quantity}"]
        axes.plot(history["epoch"], values, color=colour, label=title, marker=marker, markersize=3.5)
    best = history.loc[history["epoch"] == best_epoch, f"val_{quantity}"]
    axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=(0, (3, 3)), zorder=0)
    axes.plot([best_epoch] * len(best), best, "o", color=ORANGE, markersize=8, markeredgecolor="white", zorder=5)
    axes.plot([], [], color=MUTED, linewidth=1, linestyle=(0, (3, 3)), label=f"kept: epoch {best_epoch}")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlim(history["epoch"].min() - 0.5, history["epoch"].max() + 0.5)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.legend(loc="best")


def plot_confusion(path: Path, confusion: np.ndarray, class_names: Sequence[str]) -> None:
    """Plot counts by true (rows) and predicted class (columns), coloured by their share of the true class.

    Args:
        path: path of the PNG file.
        confusion: int (K, K), rows for the true class.
        class_names: names by class index.
    """
    num_classes = len(class_names)
    size = float(np.clip(1.5 + 0.42 * num_classes, 3.6, 12))
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    with plot_style():
        figure = Figure(figsize=(size + 0.9, size), layout="constrained")
        axes = figure.subplots()
        heatmap = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        _set_class_axes(axes, [truncate(name, 16) for name in class_names])
        if num_classes <= _MAX_NUMBERED_CLASSES:
            _annotate_counts(axes, confusion, shares)
        colorbar = figure.colorbar(heatmap, ax=axes, fraction=0.045, format=PercentFormatter(1.0, decimals=0))
        colorbar.set_label("share of the true class", color=MUTED)
        colorbar.outline.set_visible(False)
        save_figure(figure, path)


def _set_class_axes(axes: Axes, names: list[str]) -> None:
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    longest = max(len(name) for name in names)
    if len(names) > (_MAX_LETTER_CLASSES if longest == 1 else _MAX_NAMED_CLASSES):
        return
    long = longest > 4 and len(names) > 2
    axes.set_xticks(range(len(names)), names, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(len(names)), names)
    if long:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")


def _annotate_counts(axes: Axes, confusion: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            colour = "white" if shares[row, column] > 0.5 else INK
            axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=9)


def plot_reliability(path: Path, bins: Reliability) -> None:
    """Plot accuracy by confidence with the diagonal of a calibrated model, above a histogram of the confidence.

    Args:
        path: path of the PNG file.
        bins: the result of `compute_reliability`.
    """
    edges = np.linspace(0, 1, len(bins.count) + 1)
    filled = bins.count > 0
    with plot_style():
        figure = Figure(figsize=(5, 5.4), layout="constrained")
        curve, histogram = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        curve.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated")
        accuracy = np.where(filled, bins.accuracy, 0)
        curve.bar(edges[:-1], accuracy, np.diff(edges), align="edge", color=BLUE, alpha=0.25, edgecolor="white")
        curve.plot(bins.confidence[filled], bins.accuracy[filled], "o-", color=BLUE, clip_on=False, label="this model")
        curve.set_title(f"Expected calibration error {bins.ece:.2%}", pad=30)
        curve.set_ylabel("accuracy")
        curve.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=2)
        histogram.bar(edges[:-1], bins.count, np.diff(edges), align="edge", color=BLUE, edgecolor="white")
        histogram.set_ylabel("count")
        histogram.set_xlabel("confidence")
        histogram.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        for axes in (curve, histogram):
            axes.grid(axis="y")
            axes.spines["left"].set_visible(False)
        for axis in (curve.yaxis, histogram.xaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        histogram.set_xlim(0, 1)
        curve.set_ylim(0, 1)
        save_figure(figure, path)


def plot_mistakes(
    path: Path, predictions: Predictions, *, images: np.ndarray, class_names: Sequence[str], max_mistakes: int
) -> None:
    """Plot the most confident wrong predictions, each with its image, true and predicted class and confidence.

    Args:
        path: path of the PNG file.
        predictions: predictions for the test set.
        images: uint8 (N, height, width, 1 or 3), in the order of `predictions`; only the mistakes are read.
        class_names: names by class index.
        max_mistakes: maximum number of mistakes.
    """
    worst, wrong = predictions.worst_rows(max_mistakes), int((~predictions.correct).sum())
    title = _format_mistakes_title(len(worst), wrong, len(predictions.targets))
    rows = max(1, -(-len(worst) // _MISTAKES_PER_ROW))
    with plot_style():
        figure = Figure(figsize=(9.6, 0.7 + 2.15 * rows if len(worst) else 0.8), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if len(worst):
            grid = figure.subplots(rows, _MISTAKES_PER_ROW, squeeze=False).ravel()
            for axes in grid:
                axes.axis("off")
            for axes, row in zip(grid, worst, strict=False):
                _plot_mistake(axes, images[row], predictions=predictions, row=int(row), class_names=class_names)
        else:
            figure.text(0.01, 0.3, "Nothing to show: every prediction is right.", color=GREEN)
        save_figure(figure, path)


def _format_mistakes_title(plotted: int, wrong: int, total: int) -> str:
    share = f"{wrong:,} of {total:,} test images wrong"
    if plotted == wrong:
        return f"All mistakes, the most confident first ({share})" if wrong else f"No mistakes ({share})"
    return f"The {plotted} most confident mistakes ({share})"


def _plot_mistake(
    axes: Axes, image: np.ndarray, *, predictions: Predictions, row: int, class_names: Sequence[str]
) -> None:
    small = image.shape[0] < 100
    axes.imshow(
        image.squeeze(-1) if image.shape[-1] == 1 else image,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if small else "antialiased",
    )
    truth, predicted = (
        truncate(class_names[index], 17) for index in (predictions.targets[row], predictions.predicted[row])
    )
    axes.text(0.5, -0.05, f"is {truth}", transform=axes.transAxes, ha="center", va="top", color=INK, fontsize=9)
    caption = f"said {predicted}\n{predictions.confidence[row]:.1%} sure"
    axes.text(
        0.5, -0.16, caption, transform=axes.transAxes, ha="center", va="top", color=RED, fontsize=9, linespacing=1.3
    )


def plot_contexts(path: Path, title: str, contexts: Sequence[TokenContext]) -> None:
    """Plot a line for each place: its token in red between the text around it, then the remark.

    Args:
        path: path of the PNG file.
        title: title of the figure.
        contexts: the places, in the order of the lines.
    """
    chars_before = max((measure_width(_cut_before(context)) for context in contexts), default=0)
    height = 0.55 + _CONTEXT_LINE_HEIGHT * max(1, len(contexts))
    with plot_style():
        figure = Figure(figsize=(_CONTEXT_WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.text(0.01, 1 - 0.12 / height, title, va="top", fontsize=11, fontweight="bold")
        for line, context in enumerate(contexts):
            _plot_context(axes, context, 1 - (0.55 + _CONTEXT_LINE_HEIGHT * line) / height, chars_before)
        if not contexts:
            axes.text(0.01, 1 - 0.55 / height, "Nothing to show: every prediction is right.", va="center", color=MUTED)
        save_figure(figure, path)


def _plot_context(axes: Axes, context: TokenContext, y: float, chars_before: int) -> None:
    left = 0.01 + chars_before * _CHAR_WIDTH
    right = left + measure_width(context.token) * _CHAR_WIDTH
    common: dict[str, Any] = {"va": "center", "family": "DejaVu Sans Mono", "fontsize": _CONTEXT_FONT_SIZE}
    axes.text(left, y, _cut_before(context), ha="right", color=INK, **common)
    axes.text(left, y, context.token, color=RED, fontweight="bold", **common)
    after = cut_to_width(context.after, _MAX_CHARS - chars_before - measure_width(context.token))
    axes.text(right, y, after, color=MUTED, **common)
    axes.text(0.6, y, context.remark, va="center", color=INK, fontsize=9)


def _cut_before(context: TokenContext) -> str:
    """Return the end of the text before a token."""
    return cut_to_width(context.before[::-1], _MAX_CHARS_BEFORE)[::-1]
