"""Symbols for people's eyes: names that can be seen, and the places where a text or a sequence surprised a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.evaluation.metrics import Scores

_NAMES = {" ": "␣", "\n": "↵", "\t": "→"}
_BEFORE, _AFTER = 44, 12  # symbols shown around a place


def visible(vocabulary: Iterable[str]) -> list[str]:
    """Symbols as they can be printed on one line: a space as ␣, a line's end as ↵, what has no shape by its number.

    No two get the same name: where ␣ itself is in the vocabulary, a space is told by its number, too.
    """
    symbols = list(vocabulary)
    return [_visible(symbol, symbols) for symbol in symbols]


def _visible(symbol: str, others: list[str]) -> str:
    name = _NAMES.get(symbol, symbol)
    shown = name.isprintable() and (name == symbol or name not in others)
    return name if shown else f"U+{ord(symbol[0]):04X}"


def text_rows(symbols: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """What `rows.csv` is for images, of a text: the `name` of each symbol's place, and for `hash` the symbol itself."""
    names = np.array(visible(class_names), dtype=object)
    return pd.DataFrame({"hash": names[symbols], "name": [f"symbol {place}" for place in range(len(symbols))]})


@dataclass(frozen=True)
class Place:
    """A symbol in its surroundings, and what is to be said of it."""

    before: str
    symbol: str
    after: str
    remark: str


def surprises(scores: Scores, symbols: np.ndarray, class_names: Sequence[str], count: int) -> list[Place]:
    """The places of a text whose symbol the model thought least likely, the least likely first.

    Args:
        scores: of the text.
        symbols: unsigned (L,), each the one before its target.
        class_names: by number, as they can be seen.
        count: the most to give.
    """
    text = np.array(class_names, dtype=object)[[symbols[0], *scores.targets]]
    likely = scores.probabilities[np.arange(len(scores.targets)), scores.targets]
    return [
        Place(
            "".join(text[max(0, row + 1 - _BEFORE) : row + 1]),
            text[row + 1],
            "".join(text[row + 2 : row + 2 + _AFTER]),
            f"{-np.log2(max(likely[row], 1e-300)):.1f} bits; said {class_names[scores.predictions[row]]}, "
            f"{scores.confidence[row]:.1%} sure",
        )
        for row in np.argsort(likely, kind="stable")[:count]
    ]


def mistaken(scores: Scores, sequences: np.ndarray, class_names: Sequence[str], count: int) -> list[Place]:
    """The sequences, unsigned (N, T), of the most confident wrong predictions, each from its first symbol on."""
    names = np.array(class_names, dtype=object)
    places = []
    for row in scores.worst(count):
        shown = names[sequences[row][: _BEFORE + _AFTER]]
        truth, said = names[scores.targets[row]], names[scores.predictions[row]]
        remark = f"is {truth}; said {said}, {scores.confidence[row]:.1%} sure"
        places.append(Place("", shown[0], "".join(shown[1:]), remark))
    return places
