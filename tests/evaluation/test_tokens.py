"""Printable names of tokens, and the places where a model predicted badly."""

import numpy as np
import pytest

from vision_pipeline.evaluation.metrics import make_predictions
from vision_pipeline.evaluation.tokens import misclassified, most_surprising, printable_tokens, text_rows

NAMES = ["↵", "␣", "a", "b"]


@pytest.mark.parametrize(
    ("symbol", "name"), [(" ", "␣"), ("\n", "↵"), ("\t", "→"), ("a", "a"), ("é", "é"), ("\x07", "U+0007")]
)
def test_every_symbol_can_be_seen(symbol: str, name: str) -> None:
    assert printable_tokens([symbol, "x"]) == [name, "x"]


def test_no_two_symbols_have_one_name() -> None:
    assert printable_tokens("\t→ab\n") == ["U+0009", "→", "a", "b", "↵"]
    assert len(set(printable_tokens(map(chr, range(0x3000))))) == 0x3000


def test_the_least_likely_symbols_come_first_in_their_place() -> None:
    symbols, targets = np.array([2, 3, 1, 2]), np.array([3, 1, 2, 0])  # "ab a" and what follows: "b a\n"
    chances = np.full((4, 4), 0.1)
    chances[np.arange(4), targets] = [0.7, 0.25, 0.7, 0.5]
    chances[1, 3] = 0.55
    contexts = most_surprising(make_predictions(np.log(chances), targets), symbols, NAMES, 2)
    assert [(context.before, context.token, context.after) for context in contexts] == [
        ("ab", "␣", "a↵"),
        ("ab␣a", "↵", ""),
    ]
    assert contexts[0].remark == "2.0 bits; said b, 55.0% sure"


def test_wrong_sequences_are_shown_from_their_first_symbol_on() -> None:
    sequences = np.array([[2, 3, 1], [3, 3, 3]])
    predictions = make_predictions(np.log(np.array([[0.1, 0.1, 0.2, 0.6], [0.1, 0.1, 0.1, 0.7]])), np.array([2, 3]))
    (context,) = misclassified(predictions, sequences, NAMES, 5)
    assert (context.before, context.token, context.after, context.remark) == ("", "a", "b␣", "is a; said b, 60.0% sure")


def test_rows_of_a_text_are_its_places() -> None:
    table = text_rows(np.array([1, 0, 2]), [" ", "\n", "x"])
    assert table["name"].tolist() == ["symbol 0", "symbol 1", "symbol 2"]
    assert table["hash"].tolist() == ["↵", "␣", "x"]
