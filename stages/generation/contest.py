"""What the training of a GAN is given: two sides, the images that one of them knows, and a keeper of the state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

State = dict[str, Any]


class Update(Protocol):
    """How parameters are updated by their gradients; `state` is what later steps depend on, changed in place."""

    parameters: list[nn.Parameter]
    state: list[Tensor]

    def step(self, rate: float) -> None:
        """Update them."""


class Average(Protocol):
    """A moving average of weights, in a network of its own."""

    network: nn.Module

    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step, from 0."""


class Keeper(Protocol):
    """Of the state of a training, which may end at any step."""

    def load(self) -> State | None:
        """The newest state; None where there is none."""

    def after_step(self, state: Callable[[], State]) -> None:
        """Save the state when it is time to; save it and raise when the training must end."""

    def after_epoch(self, state: Callable[[], State], last: bool) -> None:
        """Save it, the last one always."""


@dataclass(frozen=True)
class Side:
    """A network that learns to beat another."""

    network: nn.Module
    update: Update

    def learn(self, loss: Tensor, rate: float) -> None:
        """One step down a loss's gradient."""
        for parameter in self.update.parameters:
            parameter.grad = None
        loss.backward()
        self.update.step(rate)

    def state(self) -> State:
        """All that later steps depend on."""
        return {"network": self.network.state_dict(), "update": self.update.state}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.network.load_state_dict(state["network"])
        for tensor, saved in zip(self.update.state, state["update"], strict=True):
            tensor.copy_(saved)


@dataclass(frozen=True)
class Contest:
    """A GAN that is to be trained; networks and data are on the machine's device.

    Attributes:
        name: of the generator, for messages.
        generator, discriminator: the two sides.
        average: of the generator's weights; it makes the images.
        images: uint8 (N, H, W, C), which the generator is to learn to make.
        targets: int64 (N,), their classes.
        classes: how many.
        seed: of all that is drawn.
    """

    name: str
    generator: Side
    discriminator: Side
    average: Average
    images: Tensor
    targets: Tensor
    classes: int
    seed: int

    def state(self) -> State:
        """All that later steps depend on."""
        sides = {"generator": self.generator.state(), "discriminator": self.discriminator.state()}
        return sides | {"average": self.average.network.state_dict()}

    def restore(self, state: State) -> None:
        """Go on from a `state`."""
        self.generator.restore(state["generator"])
        self.discriminator.restore(state["discriminator"])
        self.average.network.load_state_dict(state["average"])
