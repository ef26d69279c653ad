"""Printable names of tokens, and the places in texts and sequences where a model predicted badly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vision_pipeline.evaluation.metrics import Predictions

_PRINTABLE_NAMES = {" ": "␣", "\n": "↵", "\t": "→"}
_TOKENS_BEFORE, _TOKENS_AFTER = 44, 12  # tokens around a place


def printable_tokens(vocabulary: Iterable[str]) -> list[str]:
    """Return a printable name of each token: ␣ for a space, ↵ for a line end, U+0007 for a control character.

    Names are unique: if ␣ itself is in the vocabulary, a space is named by its number, too.
    """
    tokens = list(vocabulary)
    return [_to_printable(token, tokens) for token in tokens]


def _to_printable(token: str, vocabulary: list[str]) -> str:
    name = _PRINTABLE_NAMES.get(token, token)
    is_usable = name.isprintable() and (name == token or name not in vocabulary)
    return name if is_usable else f"U+{ord(token[0]):04X}"


def text_rows(tokens: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Return a text's table in the form of the images' `rows.csv`: `name` is a token's place, `hash` the token."""
    names = np.array(printable_tokens(class_names), dtype=object)
    return pd.DataFrame({"hash": names[tokens], "name": [f"symbol {index}" for index in range(len(tokens))]})


@dataclass(frozen=True)
class TokenContext:
    """A token with the text around it, and a remark on the prediction.

    Attributes:
        before, after: printable names of the tokens around it.
        token: its own printable name.
        remark: how the model predicted it.
    """

    before: str
    token: str
    after: str
    remark: str


def most_surprising(
    predictions: Predictions, tokens: np.ndarray, class_names: Sequence[str], count: int
) -> list[TokenContext]:
    """Return the places of a text whose token had the lowest probability, the lowest first.

    Args:
        predictions: predictions of the L next tokens.
        tokens: unsigned (L,), each the token before its target.
        class_names: printable names by token index.
        count: maximum number of places.
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
    """Return the beginnings of the sequences that were predicted wrongly, the most confident first.

    Args:
        predictions: predictions for the N sequences.
        sequences: unsigned (N, T).
        class_names: printable names by token index.
        count: maximum number of sequences.
    """
    names = np.array(class_names, dtype=object)
    contexts = []
    for row in predictions.worst_rows(count):
        excerpt = names[sequences[row][: _TOKENS_BEFORE + _TOKENS_AFTER]]
        truth, prediction = names[predictions.targets[row]], names[predictions.predicted[row]]
        remark = f"is {truth}; said {prediction}, {predictions.confidence[row]:.1%} sure"
        contexts.append(TokenContext("", excerpt[0], "".join(excerpt[1:]), remark))
    return contexts
