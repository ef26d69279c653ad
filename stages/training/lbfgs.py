"""Logistic regression by L-BFGS: its minimum for each weight decay, of which the best by validation is kept.

The loss is convex, so its minimum is the same wherever the search for it begins: each begins where the one before,
under a stronger decay, has ended.

Sources: Liu and Nocedal, On the limited memory BFGS method for large scale optimization, Mathematical Programming 45,
1989; the decay chosen on validation: Radford et al., arXiv 2103.00020, appendix A.3, also for the most iterations.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from stages.compute.device import Machine, memory_told
from stages.params.training import Lbfgs
from stages.project.console import Refusal, bar
from stages.training.batches import Rows
from stages.training.history import Epoch
from stages.training.outcome import Outcome
from stages.training.resume import Keeper, State
from stages.training.task import Task
from stages.training.validation import validate
from stages.training.world import ALONE, World

_MOST_ITERATIONS = 1000
_FLAT = 1e-5  # the minimum is where no component of the gradient is larger


def fit_regression(
    task: Task,
    settings: Lbfgs,
    machine: Machine,
    after_epoch: Callable[[Epoch], None],
    keeper: Keeper,
    world: World = ALONE,
) -> Outcome:
    """Find the minimum for each weight decay; each is an epoch of the outcome's history.

    Args:
        task: a linear network and the data, which lies on the device as a whole, as float32.
        settings: the model's `train` section.
        machine: device; its precision is "fp32", for a search along a line needs it.
        after_epoch: called with every epoch's figures; what it raises ends the training.
        keeper: of the state; a training that was interrupted goes on from there, to the same bits.
        world: the ranks that search, each for all of it.

    Raises:
        Refusal: the loss is not finite, or the device's memory ran out.
    """
    key = f"models.{task.name}.train.optimizer"
    with memory_told(f"; L-BFGS needs all of train at once: set {key} to adamw"):
        return _Search(task, settings, machine, keeper, world).run(after_epoch)


class _Search:
    """A search under one of the weight decays; `_state` is all that the ones after it depend on."""

    def __init__(self, task: Task, settings: Lbfgs, machine: Machine, keeper: Keeper, world: World) -> None:
        self._task, self._decays, self._machine, self._keeper = task, settings.weight_decays, machine, keeper
        self._world = world
        assert isinstance(task.train, Rows)  # a text has no linear network
        stored, self._targets = task.train.take(torch.arange(len(task.train)))
        self._inputs = task.to_val(stored)
        self._outcome = Outcome()
        if state := keeper.load():
            task.network.load_state_dict(state["network"])
            self._outcome = Outcome.restored(state)
        self._begin()

    def run(self, after_epoch: Callable[[Epoch], None]) -> Outcome:
        """Search under all of the weight decays that are left."""
        with bar(len(self._decays), self._task.name, unit="weight decay") as shown:
            shown.update(len(self._outcome.history))
            for decay in self._decays[len(self._outcome.history) :]:
                self._descend(decay)
                epoch = self._figures(decay)
                self._outcome.add(epoch, self._task.network)
                self._begin()
                after_epoch(epoch)
                self._keeper.after_epoch(self._state, last=decay == self._decays[-1])
                shown.update(1)
        return self._outcome

    def _begin(self) -> None:
        """Remember the weights from which the next search begins."""
        self._start = {name: tensor.detach().clone() for name, tensor in self._task.network.state_dict().items()}

    def _descend(self, decay: float) -> None:
        weights = list(self._task.network.parameters())
        optimizer = torch.optim.LBFGS(
            weights, max_iter=_MOST_ITERATIONS, tolerance_grad=_FLAT, line_search_fn="strong_wolfe"
        )
        matrices = [weight for weight in weights if weight.ndim > 1]  # biases are not decayed, as in the loop

        def closure() -> Tensor:
            self._keeper.after_step(self._state)
            optimizer.zero_grad()
            loss = self._loss()[0] + decay / 2 * sum(matrix.square().sum() for matrix in matrices)
            if not torch.isfinite(loss):
                name = self._task.name
                raise Refusal(
                    f"the loss of {name} is not finite at a weight decay of {decay:g}; are models.{name}.inputs?"
                )
            loss.backward()
            return loss

        optimizer.step(closure)

    def _loss(self) -> tuple[Tensor, Tensor]:
        """Of all of train, without the decay's part; and the logits."""
        logits = self._task.network(self._inputs)
        return cross_entropy(logits, self._targets, weight=self._task.class_weights), logits

    @torch.no_grad()
    def _figures(self, decay: float) -> Epoch:
        loss, logits = self._loss()
        right = (logits.argmax(1) == self._targets).float().mean()
        number = len(self._outcome.history) + 1
        validated = validate(self._task.network, self._task, self._machine, self._world)
        return Epoch(number, 1.0, loss.item(), right.item(), *validated, decay)

    def _state(self) -> State:
        return {"network": self._start, **self._outcome.state()}
