"""What has come of a GAN's training so far: its losses and samples."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor

from stages.project.files import write_csv


@dataclass(frozen=True)
class Losses:
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
class Progress:
    """Of a training.

    Attributes:
        steps: that are done.
        history: of the losses.
        samples: by steps done, uint8 (N, H, W, C), one class after the other.
    """

    steps: int = 0
    history: list[Losses] = field(default_factory=list)
    samples: dict[int, Tensor] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """It as plain values and tensors."""
        return {"steps": self.steps, "history": [vars(losses) for losses in self.history], "samples": self.samples}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Progress":
        """What `state` gave."""
        return cls(state["steps"], [Losses(**losses) for losses in state["history"]], state["samples"])

    def write(self, path: Path) -> None:
        """Write the history as CSV."""
        write_csv(
            path, [field.name for field in fields(Losses)], (list(vars(losses).values()) for losses in self.history)
        )


def due(done: int, total: int, times: int) -> bool:
    """Whether something that is done `times` times in `total` steps, evenly, is due after `done` of them."""
    return done * times // total > (done - 1) * times // total
