"""`vision invariance`: how often a model says the same of an image and of its altered copies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from stages.commands.predict import checkpoint_path
from stages.datasets.format import PreparedSet, open_set
from stages.params.fields import did_you_mean
from stages.project.console import Refusal, bar, say
from stages.project.paths import AUGMENTED, PREPARED

if TYPE_CHECKING:
    from stages.augmentation.policy import Policy
    from stages.models.checkpoint import Checkpoint


class Invariance(NamedTuple):
    """A model's answers to images and to their altered copies; all are shares, 0 to 1.

    Attributes:
        agreement: of the copies that get the same answer as the image they are made of.
        low, high: its 95 % interval over the images, by the normal approximation.
        accuracy: on the images as they are.
        altered: accuracy on the copies.
    """

    agreement: float
    low: float
    high: float
    accuracy: float
    altered: float


def invariance(
    models: Annotated[list[str], typer.Argument(help="Checkpoints, or names of exported models.")],
    policy: Annotated[str, typer.Option(help="The augmentation policy that alters the images.")],
    copies: Annotated[int, typer.Option(min=1, help="Altered copies of each image.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the alterations.")] = 0,
) -> None:
    """Compare what models say of test images with what they say of altered copies: the same, if they learnt well."""
    from stages.models.checkpoint import load_checkpoint

    steps = _policy(policy)
    data = open_set(PREPARED / str(steps.dataset))
    checkpoints = [load_checkpoint(checkpoint_path(model)) for model in models]
    for checkpoint in checkpoints:
        _check(checkpoint, steps, data)
    found = [(name, measured(one, steps, data, copies, seed)) for name, one in zip(models, checkpoints, strict=True)]
    of_each = "1 copy" if copies == 1 else f"{copies} copies"
    say(f"{len(data.targets('test')):,} test images of {steps.dataset}, {of_each} of each, altered by {policy}\n")
    say(_table(found))


def _table(found: list[tuple[str, Invariance]]) -> str:
    width = max(len(name) for name, _ in [("model", None), *found])
    lines = [f"{'model':<{width}}  same answer       95 % interval  accuracy  of altered"]
    for name, one in found:
        shares = f"{one.agreement:>11.2%}  {f'{one.low:.2%} to {one.high:.2%}':>18}  {one.accuracy:>8.2%}"
        lines.append(f"{name:<{width}}  {shares}  {one.altered:>10.2%}")
    return "\n".join(lines)


def measured(checkpoint: "Checkpoint", policy: "Policy", data: PreparedSet, copies: int, seed: int) -> Invariance:
    """Answers to the test images of `data` and to `copies` altered ones of each, drawn as in training."""
    from stages.augmentation.views import views
    from stages.compute.device import set_up
    from stages.compute.inference import outputs
    from stages.models.checkpoint import from_pixels

    machine = set_up("auto", "fp32", 0, convolutions=False)
    network = from_pixels(checkpoint).to(machine.device)

    def answers(pixels: np.ndarray, what: str | None = None) -> np.ndarray:
        best: np.ndarray = outputs(network, pixels, machine, what=what).argmax(1).numpy()
        return best

    images, targets = data.inputs("test"), data.targets("test")
    plain = answers(images, f"{checkpoint.name}: images as they are")
    answered = []
    with bar(copies * len(images), f"{checkpoint.name}: altered copies") as shown:
        for batch in views(policy, images, seed, copies):
            answered.append(answers(batch))
            shown.update(len(batch))
    altered = np.concatenate(answered).reshape(copies, -1)
    same = (altered == plain).mean(0)
    half = 1.96 * same.std() / len(same) ** 0.5
    agreement = float(same.mean())
    low, high = max(0.0, agreement - half), min(1.0, agreement + half)
    return Invariance(agreement, low, high, float((plain == targets).mean()), float((altered == targets).mean()))


def _policy(name: str) -> "Policy":
    """A policy that alters images, and without other looks, which need a backbone.

    Raises:
        Refusal: there is none of that name, or it is not such a one.
    """
    from stages.augmentation.policy import read_policy

    path = AUGMENTED / name / "policy.json"
    if Path(name).name != name or not path.is_file():
        known = sorted(one.parent.name for one in AUGMENTED.glob("*/policy.json"))
        raise Refusal(f"{path} is not there; {did_you_mean(name, known)}, or `dvc repro augment@{name}` makes it")
    policy = read_policy(path)
    if policy.dataset is None or policy.steps.style is not None:
        raise Refusal(f"policy {name} alters no image, or its looks; name one that flips, turns, scales or moves them")
    return policy


def _check(checkpoint: "Checkpoint", policy: "Policy", data: PreparedSet) -> None:
    """Refuse a model that takes other images or knows other classes than those of the policy's data set."""
    if (checkpoint.input_shape, checkpoint.class_names) != (data.about.shape, data.about.class_names):
        raise Refusal(f"{checkpoint.name} is no model of {policy.dataset}, which policy {policy.name} is for")
