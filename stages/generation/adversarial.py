"""The training of a GAN: the generator learns to make what the discriminator, which learns beside it, takes for real.

Sources: Goodfellow et al., arXiv 1406.2661; the hinge loss: Lim and Ye, arXiv 1705.02894; a moving average of the
generator's weights, which makes the better images: Yazıcı et al., arXiv 1806.04498.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from stages.compute.device import Machine, memory_told
from stages.generation.contest import Contest, Keeper, State
from stages.generation.images import make_images
from stages.generation.progress import Losses, Progress, due
from stages.generation.step import take_step
from stages.params.generators import Gan
from stages.project.console import Refusal, bar

_SHEETS, _REPORTS = 10, 50  # in a training, evenly
_SAMPLES = 10  # of each class


def fit_gan(
    contest: Contest,
    settings: Gan,
    machine: Machine,
    report: Callable[[Losses], None],
    keeper: Keeper,
) -> Progress:
    """Train both sides for `settings.steps` steps; the average of the generator is what comes of it.

    Args:
        contest: networks and data.
        settings: the generator's section `gan`.
        machine: device and precision.
        report: called with the losses, every so many steps; what it raises ends the training.
        keeper: of the state; a training that was interrupted goes on from there, to the same bits.

    Raises:
        Refusal: a loss is not finite, or the device's memory ran out.
    """
    key = f"generators.{contest.name}.gan"
    with memory_told(f"; lower {key}.batch_size or {key}.width"):
        return _Training(contest, settings, machine, keeper).run(report)


class _Training:
    """A training at a step; `_state` is all that the steps after it depend on."""

    def __init__(self, contest: Contest, settings: Gan, machine: Machine, keeper: Keeper) -> None:
        self._contest, self._settings, self._machine, self._keeper = contest, settings, machine, keeper
        self._progress = Progress()
        self._sums = torch.zeros(2, device=machine.device)  # of both losses since the last report
        if state := keeper.load():
            self._restore(state)

    def run(self, report: Callable[[Losses], None]) -> Progress:
        """Train to the end."""
        steps, progress = self._settings.steps, self._progress
        with bar(steps, self._contest.name, "step") as shown:
            shown.update(progress.steps)
            while progress.steps < steps:
                self._sums += take_step(self._contest, self._settings, self._machine, progress.steps)
                progress.steps += 1
                shown.update(1)
                self._look(report, shown)
                self._keeper.after_step(self._state)
        self._keeper.after_epoch(self._state, last=True)
        return progress

    def _look(self, report: Callable[[Losses], None], shown: Any) -> None:
        """Read the losses and make samples, where either is due: each waits for the device."""
        progress, steps = self._progress, self._settings.steps
        if due(progress.steps, steps, _REPORTS):
            losses = self._mean_losses()
            progress.history.append(losses)
            report(losses)
            shown.set_postfix_str(f"losses {losses.discriminator:.3f}, {losses.generator:.3f}", refresh=False)
        if due(progress.steps, steps, _SHEETS):
            progress.samples[progress.steps] = torch.from_numpy(self._samples())

    def _mean_losses(self) -> Losses:
        """Since the last report; the next are summed up anew."""
        progress, contest = self._progress, self._contest
        before = progress.history[-1].step if progress.history else 0
        values = (self._sums / (progress.steps - before)).tolist()
        self._sums.zero_()
        if not all(map(math.isfinite, values)):
            raise Refusal(
                f"a loss of {contest.name} is not finite between steps {before} and {progress.steps}; "
                f"lower generators.{contest.name}.gan.lr"
            )
        return Losses(progress.steps, *values)

    def _samples(self) -> np.ndarray:
        """The same noise at every time."""
        contest = self._contest
        made, _ = make_images(
            contest.average.network, self._settings.latent, contest.classes, _SAMPLES, self._machine, contest.seed,
            "samples",
        )  # fmt: skip
        return made

    def _state(self) -> State:
        return {"sums": self._sums, **self._contest.state(), **self._progress.state()}

    def _restore(self, state: State) -> None:
        self._contest.restore(state)
        self._sums.copy_(state["sums"])
        self._progress = Progress.restored(state)
