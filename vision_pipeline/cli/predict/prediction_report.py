"""What a model says of images, as a table and as JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vision_pipeline.cli.predict.input_images import InputImage

_NUM_TABLE_CLASSES = 3  # classes in the table


@dataclass(frozen=True)
class Prediction:
    """An image and the probability of each class, float64 (classes,); None where it cannot be read."""

    image: InputImage
    probabilities: np.ndarray | None


def format_prediction_table(predictions: list[Prediction], class_names: list[str]) -> str:
    """A line for each image: its name, its class, the probability, what comes next, and the truth where known."""
    rows = [
        ("image", "class", "probability", "next", "truth"),
        *(_format_row(prediction, class_names) for prediction in predictions),
    ]
    columns = [[replace_unprintable(cell) for cell in column] for column in zip(*rows, strict=True)]
    if not any(columns[-1][1:]):
        del columns[-1]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in zip(*columns, strict=True)
    ]
    return "\n".join([*lines, *_format_accuracy(predictions, class_names)])


def _format_row(prediction: Prediction, class_names: list[str]) -> tuple[str, str, str, str, str]:
    image, probabilities = prediction.image, prediction.probabilities
    if probabilities is None:
        return image.name, "ERROR", "", image.error or "", image.truth or ""
    top_classes = np.argsort(-probabilities, kind="stable")[:_NUM_TABLE_CLASSES]
    runners_up = ", ".join(f"{class_names[index]} {probabilities[index]:.1%}" for index in top_classes[1:])
    return (
        image.name,
        class_names[top_classes[0]],
        f"{probabilities[top_classes[0]]:.1%}",
        runners_up,
        image.truth or "",
    )


def _format_accuracy(predictions: list[Prediction], class_names: list[str]) -> list[str]:
    labelled = [
        (prediction.image.truth, prediction.probabilities) for prediction in predictions if prediction.image.truth
    ]
    scored = [(truth, probabilities) for truth, probabilities in labelled if probabilities is not None]
    num_correct = sum(class_names[int(probabilities.argmax())] == truth for truth, probabilities in scored)
    return [f"{num_correct} of {len(scored)} right ({num_correct / len(scored):.1%})"] if scored else []


def replace_unprintable(text: str) -> str:
    """A file may be named with what would move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def predictions_to_json(model: str, predictions: list[Prediction], class_names: list[str]) -> dict[str, Any]:
    """The answers as JSON has them: all probabilities, by class name."""
    return {"model": model, "images": [_to_json_entry(prediction, class_names) for prediction in predictions]}


def _to_json_entry(prediction: Prediction, class_names: list[str]) -> dict[str, Any]:
    image, probabilities = prediction.image, prediction.probabilities
    truth = {"truth": image.truth} if image.truth else {}
    name = image.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # JSON holds UTF-8 alone
    if probabilities is None:
        return {"image": name, "error": image.error, **truth}
    top_class = int(probabilities.argmax())
    probability_by_class = dict(zip(class_names, map(float, probabilities), strict=True))
    return {
        "image": name,
        "class": class_names[top_class],
        "probability": probability_by_class[class_names[top_class]],
        **truth,
        "probabilities": probability_by_class,
    }
