"""One of a model's trainings: its name, where it is written, and what tells it from others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.params.models import AnyModel, Recurrent
from stages.params.training import Lbfgs
from stages.project.console import Refusal
from stages.project.key import code_digest, run_key, training_files
from stages.project.locks import exclusive
from stages.project.paths import MODELS, model_report, seed_folder
from stages.training.world import World


@dataclass(frozen=True)
class Training:
    """One of a model's trainings.

    Attributes:
        name, model: of params.yaml.
        seed: of initial weights, order, augmentation and dropout.
        subset_seed: of the choice of a `fraction` of the images, the same for all trainings.
        folder, reports: where the model and its reports are written.
    """

    name: str
    model: AnyModel
    seed: int
    subset_seed: int
    folder: Path
    reports: Path

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name if self.folder == MODELS / self.name else f"{self.name}, seed {self.seed}"

    @property
    def convolutional(self) -> bool:
        """Whether most of its work is in convolutions."""
        return self.model.architecture in ("cnn", "speednet", "finetune")

    def identity(self, data: str, marks: dict[str, Any], ran_on: dict[str, Any]) -> "Identity":
        """What tells it from every training that may end otherwise; the model's other seeds are none of its business.

        Args:
            data: digest of the data set.
            marks: of the data, for people.
            ran_on: the machine.
        """
        section, code = self.model.model_dump(exclude={"seeds"}), code_digest()
        seeds = {"seed": self.seed, "subset_seed": self.subset_seed}
        settings = {"name": self.name, **seeds, "model": section, **ran_on}
        key = run_key(settings, training_files(section), code)
        facts = {"key": key, "code": code, "dataset": self.model.dataset, "data": data, **marks, **ran_on}
        return Identity(key, settings, facts)


@dataclass(frozen=True)
class Identity:
    """What tells a training from others.

    Attributes:
        key: under which its state and its MLflow run are found.
        settings: all that it is trained with, and on what.
        facts: what its report says of it beside its figures, and its MLflow run as tags; the key among them.
    """

    key: str
    settings: dict[str, Any]
    facts: dict[str, Any]

    @contextmanager
    def alone(self, title: str, world: World) -> Iterator[None]:
        """Two trainings of one key never run at once; the first of several ranks sees to it.

        Args:
            title: for messages.
            world: whose other ranks hear that the first still waits, or they would take it for dead.
        """
        if world.rank:
            while not world.broadcast(False):
                pass
            yield
            return
        with exclusive(f"train-{self.key}", f"trains {title}", lambda: world.broadcast(False)):
            world.broadcast(True)
            yield


def allowed(model: AnyModel, precision: str, devices: int) -> tuple[str, int]:
    """`precision` and `devices` of params.yaml, or what the model can do."""
    if isinstance(model.train, Lbfgs):
        return "fp32", 1  # a search along a line needs it, and takes seconds
    if _reads_a_text(model):
        return precision, 1  # a stream's state is where its last batch was computed
    return precision, devices


def check_ranks(name: str, model: AnyModel, world: World) -> None:
    """Whether a model can be trained by the ranks that torchrun has started.

    Raises:
        Refusal: it cannot; the message says why.
    """
    if world.size > 1 and _reads_a_text(model):
        raise Refusal(f"{name} is trained on a text, which one process reads; start it without torchrun")


def _reads_a_text(model: AnyModel) -> bool:
    return isinstance(model, Recurrent) and bool(model.steps)


def trainings(name: str, model: AnyModel, seed: int) -> list[Training]:
    """A model's trainings, the one that is the model first: with each of its seeds, or with `seed` of params.yaml."""
    first, *others = model.seeds or [seed]
    folders = [seed_folder(name, other) for other in others]
    return [
        Training(name, model, first, seed, MODELS / name, model_report(name)),
        *(Training(name, model, other, seed, place, place) for other, place in zip(others, folders, strict=True)),
    ]


def epochs_of(model: AnyModel) -> int | None:
    """The epochs that a model's trainings are asked for, all together; None with L-BFGS, which has none."""
    return None if isinstance(model.train, Lbfgs) else model.train.epochs * (len(model.seeds) or 1)
