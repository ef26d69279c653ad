"""`vision predict`: what a trained model says of images, as a table, as JSON and as a picture; how a text goes on."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from stages.commands.predictions.images import Asked, draw, files_in, read
from stages.commands.predictions.report import Answer, as_json, printable, table
from stages.commands.predictions.text import LENGTH, go_on
from stages.datasets.decode import grey_bits
from stages.params.fields import did_you_mean
from stages.project.console import Refusal, progress, say, warn
from stages.project.files import write_text
from stages.project.paths import EXPORTS, PREPARED

if TYPE_CHECKING:
    from torch import nn

    from stages.compute.device import Machine
    from stages.models.checkpoint import Checkpoint

PICTURED = 24  # images in the picture
_LARGEST_SEED = 2**63 - 1


def predict(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    images: Annotated[list[Path] | None, typer.Argument(help="Image files, or folders of them.")] = None,
    random: Annotated[int, typer.Option(min=0, help="Draw N images from the test set instead.", metavar="N")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=_LARGEST_SEED, help="Of the draw.")] = 0,
    prompt: Annotated[str | None, typer.Option(help="Go on with this text instead, by a text's model.")] = None,
    length: Annotated[
        int | None, typer.Option(min=1, help=f"Symbols of the text, the prompt's included; {LENGTH} unless given.")
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
        raise Refusal("name image files or folders, or --random N, or --prompt TEXT (one of the three)")
    _check_text_options(prompt, length, temperature, top_k)
    files = files_in(images or [])
    from stages.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_path(model))
    _check_inputs(checkpoint, prompt)
    if checkpoint.provenance.get("status") == "stand-in":
        warn(f"{checkpoint.name} was trained on stand-in data: what it says of real ones means little")
    if prompt is not None:
        text = go_on(checkpoint, prompt, length or LENGTH, temperature or 0.0, top_k or 0, seed)
        report = {"model": checkpoint.name, "prompt": prompt, "text": text}
        _tell(report, "\n".join(printable(line) for line in text.split("\n")), json_file)
        return
    asked = (
        draw(_test_set(checkpoint), random, seed, checkpoint.input_shape, checkpoint.class_names)
        if random
        else read(files, checkpoint.input_shape, checkpoint.class_names, grey_bits(checkpoint.provenance))
    )
    shown = progress(asked, "predicting", random or len(files))
    answers = [_thin(place, answer) for place, answer in enumerate(predict_all(checkpoint, shown))]
    _picture(output, answers, checkpoint.class_names)
    _tell(as_json(checkpoint.name, answers, checkpoint.class_names), table(answers, checkpoint.class_names), json_file)
    if all(answer.probabilities is None for answer in answers):
        raise Refusal("none of these images could be read")


def _check_text_options(
    prompt: str | None, length: int | None, temperature: float | None, top_k: int | None
) -> None:  # fmt: skip
    if prompt is None and (length, temperature, top_k) != (None, None, None):
        raise Refusal("--length, --temperature and --top-k say how a text goes on: they need --prompt TEXT")
    if not isfinite(temperature or 0.0):
        raise Refusal(f"--temperature is {temperature}; it must be a number")


def _check_inputs(checkpoint: "Checkpoint", prompt: str | None) -> None:
    """Refuse images for a text's model, and a text for any other."""
    from stages.models.checkpoint import reads_symbols

    name, text = checkpoint.name, reads_symbols(checkpoint) and not checkpoint.input_shape
    if text and prompt is None:
        raise Refusal(f"{name} is a model of a text and takes no images; give it --prompt TEXT")
    if not text and reads_symbols(checkpoint):
        raise Refusal(f"{name} takes sequences of {checkpoint.input_shape[0]} symbols, neither images nor a text")
    if not text and prompt is not None:
        raise Refusal(f"{name} takes images and no text; name image files or folders, or --random N")


def _tell(report: dict[str, Any], plain: str, json_file: str | None) -> None:
    """Print the answer, as JSON where `-` asks for it, and write the JSON to a file where one is named."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    say(text if json_file == "-" else plain)
    if json_file not in (None, "-"):
        write_text(Path(str(json_file)), text + "\n")


def checkpoint_path(model: str) -> Path:
    """The checkpoint that a person means by a path or by the name of an exported model."""
    if Path(model).is_file():
        return Path(model)
    exported = EXPORTS / model / "checkpoint.pth"
    if Path(model).suffix == "" and Path(model).name == model and exported.is_file():
        return exported
    names = sorted(path.parent.name for path in EXPORTS.glob("*/checkpoint.pth"))
    raise Refusal(f"{model} is neither a checkpoint nor an exported model; {did_you_mean(model, names)}")


def predict_all(checkpoint: "Checkpoint", images: Iterable[Asked]) -> Iterator[Answer]:
    """The answers to `images`, in order, batch by batch."""
    from stages.compute.device import set_up
    from stages.compute.inference import rows_at_once
    from stages.models.checkpoint import from_pixels

    machine = set_up("auto", "fp32", 0, convolutions=False)
    network = from_pixels(checkpoint).to(machine.device)
    size = rows_at_once(checkpoint.input_shape, machine.device)
    waiting = iter(images)
    while batch := list(islice(waiting, size)):
        pixels = [image.pixels for image in batch if image.pixels is not None]
        rows = _probabilities(network, pixels, machine)
        for image in batch:
            yield Answer(image, None if image.pixels is None else next(rows))


def _probabilities(network: "nn.Module", pixels: list[np.ndarray], machine: "Machine") -> Iterator[np.ndarray]:
    """Of each image, float64 (classes,), with the sum 1."""
    from stages.compute.inference import outputs

    if not pixels:
        return iter(())
    logits = outputs(network, np.stack(pixels), machine).double()
    if not logits.isfinite().all():
        raise Refusal("the model gives scores that are not finite; train it with a lower lr")
    return iter(logits.softmax(1).numpy())


def _thin(place: int, answer: Answer) -> Answer:
    """Without pixels, unless the picture shows them: a folder may hold more than fits into memory."""
    return answer if place < PICTURED else replace(answer, image=replace(answer.image, pixels=None))


def _picture(path: Path, answers: list[Answer], class_names: list[str]) -> None:
    from stages.commands.predictions.picture import draw_predictions  # matplotlib takes a second to import

    if drawn := [answer for answer in answers if answer.image.pixels is not None]:
        draw_predictions(path, drawn, class_names)


def _test_set(checkpoint: "Checkpoint") -> Path:
    name = str(checkpoint.training.get("dataset", ""))
    if not name or Path(name).name != name:
        raise Refusal(f"the checkpoint of {checkpoint.name} does not say which data set it was trained on")
    return PREPARED / name
