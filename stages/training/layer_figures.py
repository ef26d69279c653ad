"""What a look at each layer says of a training: do gradients reach it, do its units still answer?

Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010:
units that saturate and gradients that vanish on the way to the first layer.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stages.project.files import write_csv


@dataclass(frozen=True)
class Layer:
    """One trained layer after an epoch, on the probe batch.

    Attributes:
        epoch: after which; 0 is before the first step.
        layer: its name in the network.
        gradient_norm: L2 norm of the loss's gradient by its matrices or filters.
        saturated: share of its units' answers whose derivative is below 0.01 in size, 0 to 1; None where no sigmoid
            and no tanh follows it.
        dead: share of its units (in a convolution: filters) that answer 0 to every input, 0 to 1; None where no ReLU
            follows it.
    """

    epoch: int
    layer: str
    gradient_norm: float
    saturated: float | None
    dead: float | None


def write_layers(path: Path, layers: Sequence[Layer]) -> None:
    """Write one row per epoch and layer, values to 8 significant digits, nothing where there is none."""
    write_csv(path, [field.name for field in fields(Layer)], (list(asdict(layer).values()) for layer in layers))
