"""One of a model's trainings: its name, where it is written, and what tells it from others."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision_pipeline.config.models import AnyModelConfig, LbfgsConfig, RecurrentConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.fingerprint import (
    compute_source_digest,
    compute_training_fingerprint,
    list_fingerprint_inputs,
)
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.paths import MODELS, model_report_dir, seed_dir
from vision_pipeline.training.ranks import DistributedContext


@dataclass(frozen=True)
class TrainingRun:
    """One of a model's trainings.

    Attributes:
        name, model: of params.yaml.
        seed: of initial weights, order, augmentation and dropout.
        subset_seed: of the choice of a `fraction` of the images, the same for all trainings.
        model_dir, report_dir: where the model and its reports are written.
    """

    name: str
    model: AnyModelConfig
    seed: int
    subset_seed: int
    model_dir: Path
    report_dir: Path

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name if self.model_dir == MODELS / self.name else f"{self.name}, seed {self.seed}"

    @property
    def is_convolutional(self) -> bool:
        """Whether most of its work is in convolutions."""
        return self.model.architecture in ("cnn", "speednet", "finetune")

    def identify(self, data_digest: str, data_tags: dict[str, Any], hardware: dict[str, Any]) -> "RunIdentity":
        """What tells it from every training that may end otherwise; the model's other seeds are none of its business.

        Args:
            data_digest: digest of the data set.
            data_tags: of the data, for people.
            hardware: the machine.
        """
        model_settings, code = self.model.model_dump(exclude={"seeds"}), compute_source_digest()
        seeds = {"seed": self.seed, "subset_seed": self.subset_seed}
        settings = {"name": self.name, **seeds, "model": model_settings, **hardware}
        # without the off values: a key that is added later, and is off, changes no fingerprint
        short_settings = self.model.model_dump(exclude={"seeds"}, exclude_defaults=True)
        key = compute_training_fingerprint(
            settings | {"model": short_settings}, list_fingerprint_inputs(model_settings), code
        )
        metadata = {
            "key": key,
            "code": code,
            "dataset": self.model.dataset,
            "data": data_digest,
            **data_tags,
            **hardware,
        }
        return RunIdentity(key, settings, metadata)


@dataclass(frozen=True)
class RunIdentity:
    """What tells a training from others.

    Attributes:
        key: under which its state and its MLflow run are found.
        settings: all that it is trained with, and on what.
        metadata: what its report says of it beside its figures, and its MLflow run as tags; the key among them.
    """

    key: str
    settings: dict[str, Any]
    metadata: dict[str, Any]

    @contextmanager
    def lock(self, title: str, world: DistributedContext) -> Iterator[None]:
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
        with file_lock(f"train-{self.key}", f"trains {title}", lambda: world.broadcast(False)):
            world.broadcast(True)
            yield


def effective_settings(model: AnyModelConfig, precision: str, devices: int) -> tuple[str, int]:
    """`precision` and `devices` of params.yaml, or what the model can do."""
    if isinstance(model.train, LbfgsConfig):
        return "fp32", 1  # a search along a line needs it, and takes seconds
    if _is_text_model(model):
        return precision, 1  # a stream's state is where its last batch was computed
    return precision, devices


def check_world_size(name: str, model: AnyModelConfig, world: DistributedContext) -> None:
    """Whether a model can be trained by the ranks that torchrun has started.

    Raises:
        UserError: it cannot; the message says why.
    """
    if world.size > 1 and _is_text_model(model):
        raise UserError(f"{name} is trained on a text, which one process reads; start it without torchrun")


def _is_text_model(model: AnyModelConfig) -> bool:
    return isinstance(model, RecurrentConfig) and bool(model.steps)


def make_training_runs(name: str, model: AnyModelConfig, seed: int) -> list[TrainingRun]:
    """A model's trainings, the one that is the model first: with each of its seeds, or with `seed` of params.yaml."""
    first_seed, *other_seeds = model.seeds or [seed]
    folders = [seed_dir(name, other_seed) for other_seed in other_seeds]
    return [
        TrainingRun(name, model, first_seed, seed, MODELS / name, model_report_dir(name)),
        *(
            TrainingRun(name, model, other_seed, seed, folder, folder)
            for other_seed, folder in zip(other_seeds, folders, strict=True)
        ),
    ]


def total_epochs(model: AnyModelConfig) -> int | None:
    """The epochs that a model's trainings are asked for, all together; None with L-BFGS, which has none."""
    return None if isinstance(model.train, LbfgsConfig) else model.train.epochs * (len(model.seeds) or 1)
