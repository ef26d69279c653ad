"""One step of a GAN's training: either side learns once, by the same images."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import relu

from vision_pipeline.config.models import GanConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.gan.diffaugment import apply_diffaug
from vision_pipeline.gan.sampling import sample_images, sample_step, to_symmetric
from vision_pipeline.gan.state import GanHistory, GanLosses, GanState, GanStateDict, StateCheckpointer, is_due
from vision_pipeline.runtime.device import Runtime, catch_oom, to_device_async


def train_step(gan: GanState, config: GanConfig, runtime: Runtime, step: int) -> Tensor:
    """Update both networks and the average; the losses of discriminator and generator, float32 (2,).

    The discriminator's is the hinge loss: real images ought to score above 1, made ones below -1. Made images are of
    the classes of the real ones beside them.

    Args:
        gan: the networks and the data.
        config: the generator's section `gan`.
        runtime: device and precision.
        step: its number, from 0.
    """
    pixels = gan.images
    size = (pixels.shape[1], pixels.shape[2])
    step_noise = sample_step(len(pixels), config.batch_size, config.latent, size, gan.seed, step)
    rows = to_device_async(step_noise.rows, runtime.device)
    real, targets = to_symmetric(pixels[rows]), gan.targets[rows]
    with runtime.autocast():
        fake = gan.generator.network(to_device_async(step_noise.noise, runtime.device), targets).float()

    augmented = apply_diffaug(torch.cat([real, fake.detach()]), step_noise.diffaug)
    real_scores, fake_scores = _score_images(gan, runtime, augmented, torch.cat([targets, targets])).split(len(rows))
    d_loss = relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()
    gan.discriminator.step(d_loss, config.lr)

    gan.discriminator.network.requires_grad_(False)  # its own gradients are not needed here
    g_loss = -_score_images(gan, runtime, apply_diffaug(fake, step_noise.diffaug.last(len(rows))), targets).mean()
    gan.generator.step(g_loss, config.lr)
    gan.discriminator.network.requires_grad_(True)
    gan.ema.update(gan.generator.network, step)
    return torch.stack([d_loss.detach(), g_loss.detach()])


def _score_images(gan: GanState, runtime: Runtime, images: Tensor, targets: Tensor) -> Tensor:
    with runtime.autocast():
        scores: Tensor = gan.discriminator.network(images, targets)
    return scores.float()


# MERGED The training of a GAN: the generator learns to make what the discriminator, which learns beside it, takes for real.
# MERGED
# MERGED Sources: Goodfellow et al., arXiv 1406.2661; the hinge loss: Lim and Ye, arXiv 1705.02894; a moving average of the
# MERGED generator's weights, which makes the better images: Yazıcı et al., arXiv 1806.04498.
_NUM_SAMPLE_SHEETS, _NUM_REPORTS = 10, 50  # in a training, evenly
_SAMPLES_PER_CLASS = 10  # of each class


def train_gan(
    gan: GanState,
    config: GanConfig,
    runtime: Runtime,
    report: Callable[[GanLosses], None],
    checkpointer: StateCheckpointer,
) -> GanHistory:
    """Train both sides for `settings.steps` steps; the average of the generator is what comes of it.

    Args:
        gan: networks and data.
        config: the generator's section `gan`.
        runtime: device and precision.
        report: called with the losses, every so many steps; what it raises ends the training.
        checkpointer: of the state; a training that was interrupted goes on from there, to the same bits.

    Raises:
        UserError: a loss is not finite, or the device's memory ran out.
    """
    section = f"generators.{gan.name}.gan"
    with catch_oom(f"; lower {section}.batch_size or {section}.width"):
        return _GanTrainer(gan, config, runtime, checkpointer).run(report)


class _GanTrainer:
    """A training at a step; `_state_dict` is all that the steps after it depend on."""

    def __init__(self, gan: GanState, config: GanConfig, runtime: Runtime, checkpointer: StateCheckpointer) -> None:
        self._gan, self._config, self._runtime, self._checkpointer = gan, config, runtime, checkpointer
        self._history = GanHistory()
        self._loss_sums = torch.zeros(2, device=runtime.device)  # of both losses since the last report
        if state := checkpointer.load():
            self._load_state_dict(state)

    def run(self, report: Callable[[GanLosses], None]) -> GanHistory:
        """Train to the end."""
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
        """Read the losses and make samples, where either is due: each waits for the device."""
        history, steps = self._history, self._config.steps
        if is_due(history.steps, steps, _NUM_REPORTS):
            losses = self._compute_mean_losses()
            history.losses.append(losses)
            report(losses)
            pbar.set_postfix_str(f"losses {losses.discriminator:.3f}, {losses.generator:.3f}", refresh=False)
        if is_due(history.steps, steps, _NUM_SAMPLE_SHEETS):
            history.samples[history.steps] = torch.from_numpy(self._generate_samples())

    def _compute_mean_losses(self) -> GanLosses:
        """Since the last report; the next are summed up anew."""
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
        """The same noise at every time."""
        gan = self._gan
        samples, _ = sample_images(
            gan.ema.network, self._config.latent, gan.num_classes, _SAMPLES_PER_CLASS, self._runtime, gan.seed,
            "samples",
        )  # fmt: skip
        return samples

    def _state_dict(self) -> GanStateDict:
        return {"sums": self._loss_sums, **self._gan.state_dict(), **self._history.state_dict()}

    def _load_state_dict(self, state: GanStateDict) -> None:
        self._gan.load_state_dict(state)
        self._loss_sums.copy_(state["sums"])
        self._history = GanHistory.from_state_dict(state)
