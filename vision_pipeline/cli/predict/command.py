"""`vision predict`: a model's predictions for images, as a table, as JSON and as a picture; texts that it continues."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from vision_pipeline.cli.checkpoints import get_prepared_dir, resolve_checkpoint
from vision_pipeline.cli.input_images import InputImage, expand_paths, read_input_images, sample_test_images
from vision_pipeline.cli.predict.prediction_report import (
    Prediction,
    format_prediction_table,
    predictions_to_json,
    replace_unprintable,
)
from vision_pipeline.cli.predict.text_generation import DEFAULT_LENGTH, generate_text
from vision_pipeline.core.errors import ArtifactError, DataError, UserError
from vision_pipeline.core.files import write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import track
from vision_pipeline.data.decode import get_grey_bits

if TYPE_CHECKING:
    from torch import nn

    from vision_pipeline.models.checkpoint import Checkpoint
    from vision_pipeline.runtime.device import Runtime

MAX_PLOTTED = 24  # images in the plot
_LARGEST_SEED = 2**63 - 1


def predict(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    images: Annotated[list[Path] | None, typer.Argument(help="Image files, or folders of them.")] = None,
    random: Annotated[int, typer.Option(min=0, help="Draw N images from the test set instead.", metavar="N")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=_LARGEST_SEED, help="Of the draw.")] = 0,
    prompt: Annotated[str | None, typer.Option(help="Go on with this text instead, by a text's model.")] = None,
    length: Annotated[
        int | None,
        typer.Option(min=1, help=f"Symbols of the text, the prompt's included; {DEFAULT_LENGTH} unless given."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, help="0, as unless given: the likeliest symbol; 1: drawn by their chances.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw among the K likeliest.", metavar="K")] = None,
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("predictions.png"),
    json_file: Annotated[
        str | None, typer.Option("--json", help="Write JSON to FILE; - prints it instead of the table.", metavar="FILE")
    ] = None,
) -> None:
    """Say the class of images, with probabilities, by a trained model; or go on with a text."""
    if [bool(images), bool(random), prompt is not None].count(True) != 1:
        raise UserError("name image files or folders, or --random N, or --prompt TEXT (one of the three)")
    _check_text_options(prompt, length, temperature, top_k)
    files = expand_paths(images or [])
    from vision_pipeline.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(resolve_checkpoint(model))
    _check_inputs(checkpoint, prompt)
    if checkpoint.provenance.get("status") == "stand-in":
        logger.warning(f"{checkpoint.name} was trained on stand-in data: what it says of real ones means little")
    if prompt is not None:
        text = generate_text(
            checkpoint, prompt, length=length or DEFAULT_LENGTH, temperature=temperature or 0.0, top_k=top_k or 0,
            seed=seed,
        )  # fmt: skip
        report = {"model": checkpoint.name, "prompt": prompt, "text": text}
        _print_report(report, "\n".join(replace_unprintable(line) for line in text.split("\n")), json_file)
        return
    input_images = _open_images(checkpoint, files, random, seed)
    _predict_images(checkpoint, track(input_images, "predicting", random or len(files)), output, json_file)


def _check_text_options(prompt: str | None, length: int | None, temperature: float | None, top_k: int | None) -> None:
    if prompt is None and (length, temperature, top_k) != (None, None, None):
        raise UserError("--length, --temperature and --top-k say how a text goes on: they need --prompt TEXT")
    if not isfinite(temperature or 0.0):
        raise UserError(f"--temperature is {temperature}; it must be a number")


def _check_inputs(checkpoint: "Checkpoint", prompt: str | None) -> None:
    """Refuse images for a model of a text, and a text for any other model."""
    from vision_pipeline.models.checkpoint import is_token_model

    name, is_text_model = checkpoint.name, is_token_model(checkpoint) and not checkpoint.input_shape
    if is_text_model and prompt is None:
        raise UserError(f"{name} is a model of a text and takes no images; give it --prompt TEXT")
    if not is_text_model and is_token_model(checkpoint):
        raise UserError(f"{name} takes sequences of {checkpoint.input_shape[0]} symbols, neither images nor a text")
    if not is_text_model and prompt is not None:
        raise UserError(f"{name} takes images and no text; name image files or folders, or --random N")


def _print_report(report: dict[str, Any], plain_text: str, json_file: str | None) -> None:
    """Print the report, as JSON where `json_file` is `-`; write the JSON where it names a file."""
    json_text = json.dumps(report, indent=2, ensure_ascii=False)
    typer.echo(json_text if json_file == "-" else plain_text)
    if json_file not in (None, "-"):
        write_text(Path(str(json_file)), json_text + "\n")


def _open_images(checkpoint: "Checkpoint", files: list[Path], num_random: int, seed: int) -> Iterator[InputImage]:
    """Yield images of the test set where a number of them is asked for, else those in `files`."""
    shape, class_names = checkpoint.input_shape, checkpoint.class_names
    if num_random:
        folder = get_prepared_dir(checkpoint)
        return sample_test_images(folder, num_random, seed=seed, shape=shape, class_names=class_names)
    return read_input_images(files, shape, class_names, get_grey_bits(checkpoint.provenance))


def _predict_images(
    checkpoint: "Checkpoint", images: Iterable[InputImage], output: Path, json_file: str | None
) -> None:
    """Write the plot and print the report of the predictions for `images`.

    Raises:
        DataError: none of them could be read.
    """
    class_names = checkpoint.class_names
    predictions = [_drop_pixels(index, prediction) for index, prediction in enumerate(predict_all(checkpoint, images))]
    _save_plot(output, predictions, class_names)
    report = predictions_to_json(checkpoint.name, predictions, class_names)
    _print_report(report, format_prediction_table(predictions, class_names), json_file)
    if all(prediction.probabilities is None for prediction in predictions):
        raise DataError("none of these images could be read")


def predict_all(checkpoint: "Checkpoint", images: Iterable[InputImage]) -> Iterator[Prediction]:
    """Yield the predictions for `images`, in order, batch by batch."""
    from vision_pipeline.models.checkpoint import build_pixel_model
    from vision_pipeline.runtime.device import setup_runtime
    from vision_pipeline.runtime.inference import choose_inference_batch_size

    runtime = setup_runtime("auto", "fp32", 0, has_convolutions=False)
    network = build_pixel_model(checkpoint).to(runtime.device)
    batch_size = choose_inference_batch_size(checkpoint.input_shape, runtime.device)
    remaining = iter(images)
    while batch := list(islice(remaining, batch_size)):
        pixels = [image.pixels for image in batch if image.pixels is not None]
        probabilities = _predict_probabilities(network, pixels, runtime)
        for image in batch:
            yield Prediction(image, None if image.pixels is None else next(probabilities))


def _predict_probabilities(network: "nn.Module", pixels: list[np.ndarray], runtime: "Runtime") -> Iterator[np.ndarray]:
    """Return each image's probabilities, float64 (classes,), whose sum is 1."""
    from vision_pipeline.runtime.inference import predict_logits

    if not pixels:
        return iter(())
    logits = predict_logits(network, np.stack(pixels), runtime).double()
    if not logits.isfinite().all():
        raise ArtifactError("the model gives scores that are not finite; train it with a lower lr")
    return iter(logits.softmax(1).numpy())


def _drop_pixels(index: int, prediction: Prediction) -> Prediction:
    """Drop an image's pixels unless the plot shows it, because a folder may hold more than fits into memory."""
    return prediction if index < MAX_PLOTTED else replace(prediction, image=replace(prediction.image, pixels=None))


def _save_plot(path: Path, predictions: list[Prediction], class_names: list[str]) -> None:
    from vision_pipeline.cli.predict.prediction_plot import plot_predictions  # matplotlib takes a second to import

    if readable := [prediction for prediction in predictions if prediction.image.pixels is not None]:
        plot_predictions(path, readable, class_names)
