"""Symbols for people's eyes: names that can be seen, and the places where a text or a sequence surprised a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision_pipeline.evaluation.metrics import Predictions

_PRINTABLE_NAMES = {" ": "␣", "\n": "↵", "\t": "→"}
_TOKENS_BEFORE, _TOKENS_AFTER = 44, 12  # symbols shown around a place


def printable_tokens(vocabulary: Iterable[str]) -> list[str]:
    """Symbols as they can be printed on one line: a space as ␣, a line's end as ↵, what has no shape by its number.

    No two get the same name: where ␣ itself is in the vocabulary, a space is told by its number, too.
    """
    tokens = list(vocabulary)
    return [_to_printable(token, tokens) for token in tokens]


def _to_printable(token: str, vocabulary: list[str]) -> str:
    name = _PRINTABLE_NAMES.get(token, token)
    is_usable = name.isprintable() and (name == token or name not in vocabulary)
    return name if is_usable else f"U+{ord(token[0]):04X}"


def text_rows(tokens: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """What `rows.csv` is for images, of a text: the `name` of each symbol's place, and for `hash` the symbol itself."""
    names = np.array(printable_tokens(class_names), dtype=object)
    return pd.DataFrame({"hash": names[tokens], "name": [f"symbol {index}" for index in range(len(tokens))]})


@dataclass(frozen=True)
class TokenContext:
    """A symbol in its surroundings, and what is to be said of it."""

    before: str
    token: str
    after: str
    remark: str


def most_surprising(
    predictions: Predictions, tokens: np.ndarray, class_names: Sequence[str], count: int
) -> list[TokenContext]:
    """The places of a text whose symbol the model thought least likely, the least likely first.

    Args:
        predictions: of the text.
        tokens: unsigned (L,), each the one before its target.
        class_names: by number, as they can be seen.
        count: the most to give.
    """
    text = np.array(class_names, dtype=object)[[tokens[0], *predictions.targets]]
    likelihoods = predictions.probabilities[np.arange(len(predictions.targets)), predictions.targets]
    return [
        TokenContext(
            "".join(text[max(0, row + 1 - _TOKENS_BEFORE) : row + 1]),
            text[row + 1],
            "".join(text[row + 2 : row + 2 + _TOKENS_AFTER]),
            f"{-np.log2(max(likelihoods[row], 1e-300)):.1f} bits; said {class_names[predictions.predicted[row]]}, "
            f"{predictions.confidence[row]:.1%} sure",
        )
        for row in np.argsort(likelihoods, kind="stable")[:count]
    ]


def misclassified(
    predictions: Predictions, sequences: np.ndarray, class_names: Sequence[str], count: int
) -> list[TokenContext]:
    """The sequences, unsigned (N, T), of the most confident wrong predictions, each from its first symbol on."""
    names = np.array(class_names, dtype=object)
    contexts = []
    for row in predictions.worst_rows(count):
        excerpt = names[sequences[row][: _TOKENS_BEFORE + _TOKENS_AFTER]]
        truth, prediction = names[predictions.targets[row]], names[predictions.predicted[row]]
        remark = f"is {truth}; said {prediction}, {predictions.confidence[row]:.1%} sure"
        contexts.append(TokenContext("", excerpt[0], "".join(excerpt[1:]), remark))
    return contexts
