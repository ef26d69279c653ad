"""What came of a training, so far or in the end."""

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from stages.training.history import Epoch
from stages.training.layer_figures import Layer


@dataclass
class Outcome:
    """The weights of the best epoch by validation, and every epoch's figures, of the whole and by layer."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    best: Epoch | None = None
    history: list[Epoch] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def add(self, epoch: Epoch, network: nn.Module) -> None:
        """Record an epoch; keep a copy of the network's weights when it is the best so far."""
        self.history.append(epoch)
        if epoch.better_than(self.best):
            self.best = epoch
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """It as plain values and tensors."""
        best, history = self.best.epoch if self.best else 0, [asdict(epoch) for epoch in self.history]
        layers = [asdict(layer) for layer in self.layers]
        return {"history": history, "best": best, "best_weights": self.weights, "layers": layers}

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Outcome":
        """What `state` gave."""
        history = [Epoch(**epoch) for epoch in state["history"]]
        best = next((epoch for epoch in history if epoch.epoch == state["best"]), None)
        return cls(state["best_weights"], best, history, [Layer(**layer) for layer in state["layers"]])
