"""Predictions of a model for images, as a table and as JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vision_pipeline.cli.input_images import InputImage

_NUM_TABLE_CLASSES = 3


@dataclass(frozen=True)
class Prediction:
    """An image and the probability of each class, float64 (classes,); None where it cannot be read."""

    image: InputImage
    probabilities: np.ndarray | None


def format_prediction_table(predictions: list[Prediction], class_names: list[str]) -> str:
    """Return a line for each image: its name, class, probability, the next classes, and the truth if any has one.

    A last line has the accuracy over the images whose truth is known.
    """
    from tabulate import tabulate

    header = ["image", "class", "probability", "next", "truth"]
    rows = [header, *(_format_row(prediction, class_names) for prediction in predictions)]
    has_truth = any(prediction.image.truth for prediction in predictions)
    cells = [[replace_unprintable(cell) for cell in (row if has_truth else row[:-1])] for row in rows]
    # tabulate would widen each column by the padding of its header
    table = tabulate(cells, tablefmt="plain", disable_numparse=True, preserve_whitespace=True)
    return "\n".join([table, *_format_accuracy(predictions, class_names)])


def _format_row(prediction: Prediction, class_names: list[str]) -> list[str]:
    image, probabilities = prediction.image, prediction.probabilities
    if probabilities is None:
        return [image.name, "ERROR", "", image.error or "", image.truth or ""]
    top_classes = np.argsort(-probabilities, kind="stable")[:_NUM_TABLE_CLASSES]
    runners_up = ", ".join(f"{class_names[index]} {probabilities[index]:.1%}" for index in top_classes[1:])
    probability = f"{probabilities[top_classes[0]]:.1%}"
    return [image.name, class_names[top_classes[0]], probability, runners_up, image.truth or ""]


def _format_accuracy(predictions: list[Prediction], class_names: list[str]) -> list[str]:
    pairs = [(prediction.image.truth, prediction.probabilities) for prediction in predictions if prediction.image.truth]
    scored = [(truth, probabilities) for truth, probabilities in pairs if probabilities is not None]
    num_correct = sum(class_names[int(probabilities.argmax())] == truth for truth, probabilities in scored)
    return [f"{num_correct} of {len(scored)} right ({num_correct / len(scored):.1%})"] if scored else []


def replace_unprintable(text: str) -> str:
    """Replace characters that would move a terminal's cursor; a file's name may hold them."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def predictions_to_json(model: str, predictions: list[Prediction], class_names: list[str]) -> dict[str, Any]:
    """Return predictions as JSON holds them: all probabilities, by class name."""
    return {"model": model, "images": [_to_json_entry(prediction, class_names) for prediction in predictions]}


def _to_json_entry(prediction: Prediction, class_names: list[str]) -> dict[str, Any]:
    image, probabilities = prediction.image, prediction.probabilities
    truth = {"truth": image.truth} if image.truth else {}
    name = image.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")  # JSON is UTF-8
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
