"""The layers of a network as text for a terminal, and as the rows of a CSV file.

Notation of fully connected layers, after A. Ng: n[L] units in layer L, n[0] inputs; W[L] is n[L] x n[L-1], b[L] is
n[L] x 1, z[L] and a[L] are n[L] x m, with a column for each of m samples.
"""

from collections.abc import Sequence
from typing import Any

from stages.models.anatomy import Layer, depth

_HEAD = ("L", "name", "kind", "output", "weights", "biases", "multiply-adds")
_DENSE = ("L", "name", "W[L]", "b[L]", "z[L], a[L]")
_CONVENTION = (
    "Columns are samples here. torch has W[L] as it is, b[L] as (n[L],), and z[L] and a[L] as the transpose, "
    "(m, n[L]):\nin torch rows are samples."
)


def rows(layers: list[Layer]) -> list[dict[str, Any]]:
    """For each layer its number, name, kind, output, weights, biases, multiply_adds, W, b and z, of one sample."""
    return [
        {
            "layer": layer.number or "",
            "name": layer.name,
            "kind": layer.kind,
            "output": _shape(layer.output),
            "weights": layer.weights,
            "biases": layer.biases,
            "multiply_adds": layer.multiply_adds,
            **dict(zip(("W", "b", "z"), _dimensions(layer, 1) if layer.dense else ("", "", ""), strict=True)),
        }
        for layer in layers
    ]


def text(title: str, layers: list[Layer], trained: int, batch: int | None = None) -> str:
    """Tables with totals: all layers, then what belongs to the fully connected ones.

    Args:
        title: the first line.
        layers: of `layers_of`.
        trained: parameters that training changes.
        batch: m, the number of samples; None leaves the letter.
    """
    dense = [
        (str(layer.number), layer.name, *_dimensions(layer, "m" if batch is None else batch))
        for layer in layers
        if layer.dense
    ]
    body = [title, "", *_aligned(_HEAD, [_row(layer) for layer in layers], 4), "", *_totals(layers, trained, batch)]
    if dense:
        body += ["", "Fully connected layers", "", *_aligned(_DENSE, dense, 2), "", _CONVENTION]
    return "\n".join(body)


def _totals(layers: list[Layer], trained: int, batch: int | None) -> list[str]:
    weights, biases = sum(layer.weights for layer in layers), sum(layer.biases for layer in layers)
    cost, (count, word) = sum(layer.multiply_adds for layer in layers), depth(layers)
    lines = [
        f"layers      {count}: {count - 1} hidden and the output; {word} (up to 2 hidden layers are called shallow)",
        f"parameters  {weights + biases:,}: {weights:,} weights and {biases:,} biases; {trained:,} are trained",
        f"cost        {cost:,} multiply-adds for one sample",
    ]
    if batch is not None:
        lines[-1] += f", {batch * cost:,} for {batch}"
    return lines


def _row(layer: Layer) -> tuple[str, ...]:
    sizes = (f"{size:,}" if size else "" for size in (layer.weights, layer.biases, layer.multiply_adds))
    return (str(layer.number or ""), layer.name, layer.kind, _shape(layer.output), *sizes)


def _dimensions(layer: Layer, samples: int | str) -> tuple[str, str, str]:
    """Of W, b, and of z and a."""
    units = layer.output[0]
    return f"{units} x {layer.given[0]}", f"{units} x 1", f"{units} x {samples}"


def _shape(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))


def _aligned(head: tuple[str, ...], lines: Sequence[tuple[str, ...]], words: int) -> list[str]:
    """Columns of one width each; those after the first `words` are numbers, on the right."""
    table = [head, *lines]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column >= words else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
