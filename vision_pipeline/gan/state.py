"""What the training of a GAN is given: two sides, the images that one of them knows, and a keeper of the state."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from vision_pipeline.core.files import write_csv

GanStateDict = dict[str, Any]


class PlayerOptimizer(Protocol):
    """How parameters are updated by their gradients; `state` is what later steps depend on, changed in place."""

    parameters: list[nn.Parameter]
    state: list[Tensor]

    def step(self, lr: float) -> None:
        """Update them."""


class AveragedNetwork(Protocol):
    """A moving average of weights, in a network of its own."""

    network: nn.Module

    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, from 0."""


class StateCheckpointer(Protocol):
    """Of the state of a training, which may end at any step."""

    def load(self) -> GanStateDict | None:
        """The newest state; None where there is none."""

    def after_step(self, get_state: Callable[[], GanStateDict]) -> None:
        """Save the state when it is time to; save it and raise when the training must end."""

    def after_epoch(self, get_state: Callable[[], GanStateDict], is_last: bool) -> None:
        """Save it, the last one always."""


@dataclass(frozen=True)
class Player:
    """A network that learns to beat another."""

    network: nn.Module
    optimizer: PlayerOptimizer

    def step(self, loss: Tensor, lr: float) -> None:
        """One step down a loss's gradient."""
        for parameter in self.optimizer.parameters:
            parameter.grad = None
        loss.backward()
        self.optimizer.step(lr)

    def state_dict(self) -> GanStateDict:
        """All that later steps depend on."""
        return {"network": self.network.state_dict(), "update": self.optimizer.state}

    def load_state_dict(self, state: GanStateDict) -> None:
        """Go on from a `state`."""
        self.network.load_state_dict(state["network"])
        for tensor, saved in zip(self.optimizer.state, state["update"], strict=True):
            tensor.copy_(saved)


@dataclass(frozen=True)
class GanState:
    """A GAN that is to be trained; networks and data are on the machine's device.

    Attributes:
        name: of the generator, for messages.
        generator, discriminator: the two sides.
        ema: of the generator's weights; it makes the images.
        images: uint8 (N, H, W, C), which the generator is to learn to make.
        targets: int64 (N,), their classes.
        num_classes: how many.
        seed: of all that is drawn.
    """

    name: str
    generator: Player
    discriminator: Player
    ema: AveragedNetwork
    images: Tensor
    targets: Tensor
    num_classes: int
    seed: int

    def state_dict(self) -> GanStateDict:
        """All that later steps depend on."""
        players = {"generator": self.generator.state_dict(), "discriminator": self.discriminator.state_dict()}
        return players | {"average": self.ema.network.state_dict()}

    def load_state_dict(self, state: GanStateDict) -> None:
        """Go on from a `state`."""
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.ema.network.load_state_dict(state["average"])


# MERGED What has come of a GAN's training so far: its losses and samples.
@dataclass(frozen=True)
class GanLosses:
    """Mean losses of the steps since those before.

    Attributes:
        step: steps done.
        discriminator: hinge loss; 2 where it cannot tell made images from real ones, 0 where it always can.
        generator: minus the discriminator's mean score of what it makes.
    """

    step: int
    discriminator: float
    generator: float

    def metrics(self) -> dict[str, float]:
        """By name, without the step."""
        return {"discriminator": self.discriminator, "generator": self.generator}


@dataclass
class GanHistory:
    """Of a training.

    Attributes:
        steps: that are done.
        losses: of the losses.
        samples: by steps done, uint8 (N, H, W, C), one class after the other.
    """

    steps: int = 0
    losses: list[GanLosses] = field(default_factory=list)
    samples: dict[int, Tensor] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        """It as plain values and tensors."""
        return {"steps": self.steps, "history": [vars(losses) for losses in self.losses], "samples": self.samples}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "GanHistory":
        """What `state` gave."""
        return cls(state["steps"], [GanLosses(**losses) for losses in state["history"]], state["samples"])

    def write_losses(self, path: Path) -> None:
        """Write the history as CSV."""
        write_csv(
            path, [field.name for field in fields(GanLosses)], (list(vars(losses).values()) for losses in self.losses)
        )


def is_due(done: int, total: int, times: int) -> bool:
    """Whether something that is done `times` times in `total` steps, evenly, is due after `done` of them."""
    return done * times // total > (done - 1) * times // total
