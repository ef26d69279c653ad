"""The trainings of a model, one for each seed: their folders, and the key that identifies each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
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
        name: name of the model in params.yaml.
        model: settings of the model in params.yaml.
        seed: seed of initial weights, order, augmentation and dropout.
        subset_seed: seed that chooses a `fraction` of the images, the same for all trainings.
        model_dir: folder of the model.
        report_dir: folder of its reports.
    """

    name: str
    model: AnyModelConfig
    _: KW_ONLY
    seed: int
    subset_seed: int
    model_dir: Path
    report_dir: Path

    @property
    def title(self) -> str:
        """The name of the training in messages: the model's, and the seed where it is not the first."""
        return self.name if self.model_dir == MODELS / self.name else f"{self.name}, seed {self.seed}"

    @property
    def is_convolutional(self) -> bool:
        """True where most of the work is in convolutions."""
        return self.model.architecture in ("cnn", "speednet", "finetune")

    def identify(self, data_digest: str, data_tags: dict[str, Any], hardware: dict[str, Any]) -> "RunIdentity":
        """Return the key, settings and metadata that identify this training.

        Equal keys mean bit-identical results; the model's other seeds are not included.

        Args:
            data_digest: digest of the data set.
            data_tags: description of the data, for people.
            hardware: device, precision and threads, as `Runtime.metadata` returns them.
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
    """The identity of a training.

    Attributes:
        key: fingerprint under which its state and its MLflow run are stored.
        settings: the settings and the hardware that it is trained with.
        metadata: entries of its report beside the metrics, which are also tags of its MLflow run; the key among them.
    """

    key: str
    settings: dict[str, Any]
    metadata: dict[str, Any]

    @contextmanager
    def lock(self, title: str, world: DistributedContext) -> Iterator[None]:
        """Hold an exclusive lock on this key. Rank 0 takes it; the other ranks wait for its broadcast.

        Args:
            title: name of the training, for messages.
            world: the ranks. Rank 0 broadcasts while it waits, or the others would take it for dead.
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
    """Return `precision` and `devices` of params.yaml, limited to what the model's training supports."""
    if isinstance(model.train, LbfgsConfig):
        return "fp32", 1  # a line search needs full precision, and takes seconds
    if _is_text_model(model):
        return precision, 1  # a stream's hidden state is on the device that computed its last batch
    return precision, devices


def check_world_size(name: str, model: AnyModelConfig, world: DistributedContext) -> None:
    """Check that a model can be trained by the ranks that torchrun has started.

    Raises:
        UserError: the model is trained on a text, and there are several ranks.
    """
    if world.size > 1 and _is_text_model(model):
        raise UserError(f"{name} is trained on a text, which one process reads; start it without torchrun")


def _is_text_model(model: AnyModelConfig) -> bool:
    return isinstance(model, RecurrentConfig) and bool(model.steps)


def make_training_runs(name: str, model: AnyModelConfig, seed: int) -> list[TrainingRun]:
    """Return a model's trainings: one for each of its seeds, or one with `seed`; the first is the model."""
    first_seed, *other_seeds = model.seeds or [seed]
    folders = [seed_dir(name, other_seed) for other_seed in other_seeds]
    return [
        TrainingRun(
            name, model, seed=first_seed, subset_seed=seed, model_dir=MODELS / name, report_dir=model_report_dir(name)
        ),
        *(
            TrainingRun(name, model, seed=other_seed, subset_seed=seed, model_dir=folder, report_dir=folder)
            for other_seed, folder in zip(other_seeds, folders, strict=True)
        ),
    ]


def total_epochs(model: AnyModelConfig) -> int | None:
    """Return the maximum of epochs of a model's trainings, all together; None with L-BFGS, which has none."""
    return None if isinstance(model.train, LbfgsConfig) else model.train.epochs * (len(model.seeds) or 1)
