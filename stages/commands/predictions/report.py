"""What a model says of images, as a table and as JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from stages.commands.predictions.images import Asked

_TOP = 3  # classes in the table


@dataclass(frozen=True)
class Answer:
    """An image and the probability of each class, float64 (classes,); None where it cannot be read."""

    image: Asked
    probabilities: np.ndarray | None


def table(answers: list[Answer], class_names: list[str]) -> str:
    """A line for each image: its name, its class, the probability, what comes next, and the truth where known."""
    rows = [("image", "class", "probability", "next", "truth"), *(_row(answer, class_names) for answer in answers)]
    columns = [[printable(text) for text in column] for column in zip(*rows, strict=True)]
    if not any(columns[-1][1:]):
        del columns[-1]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    return "\n".join([*lines, *_tally(answers, class_names)])


def _row(answer: Answer, class_names: list[str]) -> tuple[str, str, str, str, str]:
    image, chances = answer.image, answer.probabilities
    if chances is None:
        return image.name, "ERROR", "", image.error or "", image.truth or ""
    best = np.argsort(-chances, kind="stable")[:_TOP]
    others = ", ".join(f"{class_names[index]} {chances[index]:.1%}" for index in best[1:])
    return image.name, class_names[best[0]], f"{chances[best[0]]:.1%}", others, image.truth or ""


def _tally(answers: list[Answer], class_names: list[str]) -> list[str]:
    judged = [(answer.image.truth, answer.probabilities) for answer in answers if answer.image.truth]
    known = [(truth, chances) for truth, chances in judged if chances is not None]
    right = sum(class_names[int(chances.argmax())] == truth for truth, chances in known)
    return [f"{right} of {len(known)} right ({right / len(known):.1%})"] if known else []


def printable(text: str) -> str:
    """A file may be named with what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def as_json(model: str, answers: list[Answer], class_names: list[str]) -> dict[str, Any]:
    """The answers as JSON has them: all probabilities, by class name."""
    return {"model": model, "images": [_entry(answer, class_names) for answer in answers]}


def _entry(answer: Answer, class_names: list[str]) -> dict[str, Any]:
    image, chances = answer.image, answer.probabilities
    truth = {"truth": image.truth} if image.truth else {}
    name = image.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # JSON holds UTF-8 alone
    if chances is None:
        return {"image": name, "error": image.error, **truth}
    best = int(chances.argmax())
    named = dict(zip(class_names, map(float, chances), strict=True))
    return {
        "image": name,
        "class": class_names[best],
        "probability": named[class_names[best]],
        **truth,
        "probabilities": named,
    }
