"""The training of a GAN: the generator learns to make images that the discriminator, trained beside it, takes for real.

Sources: Goodfellow et al., arXiv 1406.2661; the hinge loss: Lim and Ye, arXiv 1705.02894; a moving average of the
generator's weights, which makes the better images: Yazıcı et al., arXiv 1806.04498.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from vision_pipeline.config.models import GanConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_csv
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.gan.diffaugment import apply_diffaug
from vision_pipeline.gan.sampling import sample_images, sample_step, to_symmetric
from vision_pipeline.runtime.device import Runtime, catch_oom, to_device_async
from vision_pipeline.training.checkpointing import CheckpointManager, StateDict
from vision_pipeline.training.ema import ModelEma
from vision_pipeline.training.fused_optimizers import GroupOptimizer

_NUM_SAMPLE_SHEETS, _NUM_REPORTS = 10, 50  # in a training, evenly
_SAMPLES_PER_CLASS = 10


@dataclass(frozen=True)
class Player:
    """One of the two networks, and its optimizer."""

    network: nn.Module
    optimizer: GroupOptimizer

    def step(self, loss: Tensor, lr: float) -> None:
        """Update the network by the gradient of a loss."""
        for parameter in self.optimizer.parameters:
            parameter.grad = None
        loss.backward()
        self.optimizer.step(lr)

    def state_dict(self) -> StateDict:
        """Return all that later steps depend on."""
        return {"network": self.network.state_dict(), "update": self.optimizer.state}

    def load_state_dict(self, state: StateDict) -> None:
        """Resume from a `state_dict`."""
        self.network.load_state_dict(state["network"])
        for tensor, saved in zip(self.optimizer.state, state["update"], strict=True):
            tensor.copy_(saved)


@dataclass(frozen=True, kw_only=True)
class GanState:
    """A GAN and its data, all on the runtime's device.

    Attributes:
        name: name of the generator, for messages.
        generator: player that makes images.
        discriminator: player that scores images.
        ema: moving average of the generator's weights, whose network makes the samples and the final images.
        images: uint8 (N, H, W, C), the training images.
        targets: int64 (N,), their classes.
        num_classes: number of classes.
        seed: seed of all random numbers.
    """

    name: str
    generator: Player
    discriminator: Player
    ema: ModelEma
    images: Tensor
    targets: Tensor
    num_classes: int
    seed: int

    def state_dict(self) -> StateDict:
        """Return all that later steps depend on."""
        players = {"generator": self.generator.state_dict(), "discriminator": self.discriminator.state_dict()}
        return players | {"average": self.ema.network.state_dict()}

    def load_state_dict(self, state: StateDict) -> None:
        """Resume from a `state_dict`."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.ema.network.load_state_dict(state["average"])


@dataclass(frozen=True)
class GanLosses:
    """The mean losses of the steps since the last report.

    Attributes:
        step: number of steps that are done.
        discriminator: hinge loss; 2 where it cannot tell fake images from real ones, 0 where it always can.
        generator: negative mean score of the fake images.
    """

    step: int
    discriminator: float
    generator: float

    def metrics(self) -> dict[str, float]:
        """Return the losses by name, without the step."""
        return {"discriminator": self.discriminator, "generator": self.generator}


@dataclass
class GanHistory:
    """The losses and the samples of a training so far.

    Attributes:
        steps: number of steps that are done.
        losses: losses of each report.
        samples: uint8 (N, H, W, C) by the number of steps done, one class after the other.
    """

    steps: int = 0
    losses: list[GanLosses] = field(default_factory=list)
    samples: dict[int, Tensor] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """Return the history as plain values and tensors."""
        return {"steps": self.steps, "history": [vars(losses) for losses in self.losses], "samples": self.samples}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "GanHistory":
        """Return the history that `state_dict` returned."""
        return cls(state["steps"], [GanLosses(**losses) for losses in state["history"]], state["samples"])

    def write_losses(self, path: Path) -> None:
        """Write the losses as CSV, one row for each report."""
        write_csv(
            path, [field.name for field in fields(GanLosses)], (list(vars(losses).values()) for losses in self.losses)
        )


def is_due(done: int, total: int, times: int) -> bool:
    """Return whether something that happens `times` times in `total` steps, evenly, is due after `done` of them."""
    return done * times // total > (done - 1) * times // total


def train_step(gan: GanState, config: GanConfig, runtime: Runtime, step: int) -> Tensor:
    """Update both networks and the average by one batch.

    The discriminator's loss is the hinge loss: real images must score above 1, fake ones below -1. The fake images have
    the classes of the real ones beside them.

    Args:
        gan: networks and data.
        config: the generator's section `gan`.
        runtime: device and precision.
        step: number of the step, from 0.

    Returns:
        The losses of discriminator and generator, float32 (2,).
    """
    pixels = gan.images
    size = (pixels.shape[1], pixels.shape[2])
    step_noise = sample_step(len(pixels), config.batch_size, config.latent, image_size=size, seed=gan.seed, step=step)
    rows = to_device_async(step_noise.rows, runtime.device)
    real, targets = to_symmetric(pixels[rows]), gan.targets[rows]
    with runtime.autocast():
        fake = gan.generator.network(to_device_async(step_noise.noise, runtime.device), targets).float()

    augmented = apply_diffaug(torch.cat([real, fake.detach()]), step_noise.diffaug)
    real_scores, fake_scores = _score_images(gan, runtime, augmented, torch.cat([targets, targets])).split(len(rows))
    d_loss = relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()
    gan.discriminator.step(d_loss, config.lr)

    gan.discriminator.network.requires_grad_(False)  # its gradients are not needed for the generator's step
    g_loss = -_score_images(gan, runtime, apply_diffaug(fake, step_noise.diffaug.last(len(rows))), targets).mean()
    gan.generator.step(g_loss, config.lr)
    gan.discriminator.network.requires_grad_(True)
    gan.ema.update(gan.generator.network, step)
    return torch.stack([d_loss.detach(), g_loss.detach()])


def _score_images(gan: GanState, runtime: Runtime, images: Tensor, targets: Tensor) -> Tensor:
    with runtime.autocast():
        scores: Tensor = gan.discriminator.network(images, targets)
    return scores.float()


def train_gan(
    gan: GanState,
    config: GanConfig,
    runtime: Runtime,
    *,
    report: Callable[[GanLosses], None],
    checkpointer: CheckpointManager,
) -> GanHistory:
    """Train both networks for `config.steps` steps; `gan.ema.network` is the trained generator.

    Args:
        gan: networks and data.
        config: the generator's section `gan`.
        runtime: device and precision.
        report: called with the losses at regular steps; an error that it raises ends the training.
        checkpointer: keeps the state; an interrupted training resumes from there, to the same bits.

    Returns:
        The losses and the samples of the training.

    Raises:
        UserError: a loss is not finite, or the device's memory ran out.
    """
    section = f"generators.{gan.name}.gan"
    logger.debug(f"{gan.name}: {config.steps} steps on {len(gan.targets)} images, seed {gan.seed}")
    with catch_oom(f"; lower {section}.batch_size or {section}.width"):
        return _GanTrainer(gan, config, runtime, checkpointer).run(report)


class _GanTrainer:
    """The training loop at a step; `_state_dict` is all that later steps depend on."""

    def __init__(self, gan: GanState, config: GanConfig, runtime: Runtime, checkpointer: CheckpointManager) -> None:
        self._gan, self._config, self._runtime, self._checkpointer = gan, config, runtime, checkpointer
        self._history = GanHistory()
        self._loss_sums = torch.zeros(2, device=runtime.device)  # both losses since the last report
        if state := checkpointer.load():
            self._load_state_dict(state)

    def run(self, report: Callable[[GanLosses], None]) -> GanHistory:
        """Train to the last step."""
        steps, history = self._config.steps, self._history
        with progress_bar(steps, self._gan.name, "step") as pbar:
            pbar.update(history.steps)
            while history.steps < steps:
                self._loss_sums += train_step(self._gan, self._config, self._runtime, history.steps)
                history.steps += 1
                pbar.update(1)
                self._maybe_report(report, pbar)
                self._checkpointer.after_step(self._state_dict)
        self._checkpointer.after_epoch(self._state_dict, is_last=True)
        return history

    def _maybe_report(self, report: Callable[[GanLosses], None], pbar: Any) -> None:
        """Read the losses and make samples when either is due, because each waits for the device."""
        history, steps = self._history, self._config.steps
        if is_due(history.steps, steps, _NUM_REPORTS):
            losses = self._compute_mean_losses()
            history.losses.append(losses)
            report(losses)
            pbar.set_postfix_str(f"losses {losses.discriminator:.3f}, {losses.generator:.3f}", refresh=False)
        if is_due(history.steps, steps, _NUM_SAMPLE_SHEETS):
            history.samples[history.steps] = torch.from_numpy(self._generate_samples())

    def _compute_mean_losses(self) -> GanLosses:
        """Return the mean losses since the last report, and set the sums to zero."""
        history, gan = self._history, self._gan
        last_step = history.losses[-1].step if history.losses else 0
        mean_losses = (self._loss_sums / (history.steps - last_step)).tolist()
        self._loss_sums.zero_()
        if not all(map(math.isfinite, mean_losses)):
            raise UserError(
                f"a loss of {gan.name} is not finite between steps {last_step} and {history.steps}; "
                f"lower generators.{gan.name}.gan.lr"
            )
        return GanLosses(history.steps, *mean_losses)

    def _generate_samples(self) -> np.ndarray:
        """Return samples of the averaged generator, from the same noise each time."""
        gan = self._gan
        samples, _ = sample_images(
            gan.ema.network,
            latent=self._config.latent,
            num_classes=gan.num_classes,
            per_class=_SAMPLES_PER_CLASS,
            runtime=self._runtime,
            seed=gan.seed,
            purpose="samples",
        )
        return samples

    def _state_dict(self) -> StateDict:
        return {"sums": self._loss_sums, **self._gan.state_dict(), **self._history.state_dict()}

    def _load_state_dict(self, state: StateDict) -> None:
        self._gan.load_state_dict(state)
        self._loss_sums.copy_(state["sums"])
        self._history = GanHistory.from_state_dict(state)
