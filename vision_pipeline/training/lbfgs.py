"""Logistic regression by L-BFGS: its minimum for each weight decay, of which the best by validation is kept.

The loss is convex, so its minimum is the same wherever the search for it begins: each search begins where the one
before, under a stronger decay, has ended.

Sources: Liu and Nocedal, On the limited memory BFGS method for large scale optimization, Mathematical Programming 45,
1989; the decay chosen on validation, and the maximum of iterations: Radford et al., arXiv 2103.00020, appendix A.3.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vision_pipeline.config.models import LbfgsConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.runtime.device import Runtime, catch_oom
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.checkpointing import CheckpointManager, StateDict
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext
from vision_pipeline.training.results import EpochMetrics, TrainResult
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.train_step import validate

_MAX_ITERATIONS = 1000
_GRADIENT_TOLERANCE = 1e-5  # the minimum is where no component of the gradient is larger


def fit_logistic_regression(
    task: TrainTask,
    settings: LbfgsConfig,
    runtime: Runtime,
    after_epoch: Callable[[EpochMetrics], None],
    *,
    checkpointer: CheckpointManager,
    world: DistributedContext = SINGLE_PROCESS,
) -> TrainResult:
    """Find the minimum for each weight decay; each search is an epoch of the result's history.

    Args:
        task: a linear network and the data, which is on the device as a whole, as float32.
        settings: the model's `train` section.
        runtime: device; its precision is "fp32", because a line search needs it.
        after_epoch: called with every epoch's metrics; an error that it raises ends the training.
        checkpointer: keeps the state; an interrupted training resumes from there, to the same bits.
        world: the ranks; each searches on all of the data.

    Returns:
        The weights of the best epoch by validation, and the metrics of all.

    Raises:
        UserError: the loss is not finite, or the device's memory ran out.
    """
    key = f"models.{task.name}.train.optimizer"
    logger.debug(f"{task.name}: L-BFGS under {len(settings.weight_decays)} weight decays on {runtime.device}")
    with catch_oom(f"; L-BFGS needs all of train at once: set {key} to adamw"):
        return _WeightDecaySearch(task, settings, runtime, checkpointer=checkpointer, world=world).run(after_epoch)


class _WeightDecaySearch:
    """The search under each of the weight decays; `_state_dict` is all that the next search depends on."""

    def __init__(
        self,
        task: TrainTask,
        settings: LbfgsConfig,
        runtime: Runtime,
        *,
        checkpointer: CheckpointManager,
        world: DistributedContext,
    ) -> None:
        self._task, self._runtime, self._checkpointer, self._world = task, runtime, checkpointer, world
        self._decays = settings.weight_decays
        assert isinstance(task.train, ArrayDataset)  # a text has no linear network
        stored_inputs, self._targets = task.train.gather(torch.arange(len(task.train)))
        self._inputs = task.eval_transform(stored_inputs)
        self._result = TrainResult()
        if state := checkpointer.load():
            task.network.load_state_dict(state["network"])
            self._result = TrainResult.from_state_dict(state)
        self._remember_start()

    def run(self, after_epoch: Callable[[EpochMetrics], None]) -> TrainResult:
        """Search under all of the weight decays that are left."""
        with progress_bar(len(self._decays), self._task.name, unit="weight decay") as pbar:
            pbar.update(len(self._result.history))
            for weight_decay in self._decays[len(self._result.history) :]:
                self._minimize(weight_decay)
                epoch = self._measure_epoch(weight_decay)
                self._result.add(epoch, self._task.network)
                self._remember_start()
                after_epoch(epoch)
                self._checkpointer.after_epoch(self._state_dict, is_last=weight_decay == self._decays[-1])
                pbar.update(1)
        return self._result

    def _remember_start(self) -> None:
        """Copy the weights from which the next search begins."""
        self._start_weights = {
            name: tensor.detach().clone() for name, tensor in self._task.network.state_dict().items()
        }

    def _minimize(self, weight_decay: float) -> None:
        weights = list(self._task.network.parameters())
        optimizer = torch.optim.LBFGS(
            weights, max_iter=_MAX_ITERATIONS, tolerance_grad=_GRADIENT_TOLERANCE, line_search_fn="strong_wolfe"
        )
        matrices = [weight for weight in weights if weight.ndim > 1]  # biases are not decayed, as in the loop

        def closure() -> Tensor:
            self._checkpointer.after_step(self._state_dict)
            optimizer.zero_grad()
            loss = self._compute_loss()[0] + weight_decay / 2 * sum(matrix.square().sum() for matrix in matrices)
            if not torch.isfinite(loss):
                name = self._task.name
                raise UserError(
                    f"the loss of {name} is not finite at a weight decay of {weight_decay:g}; are models.{name}.inputs?"
                )
            loss.backward()
            return loss

        optimizer.step(closure)

    def _compute_loss(self) -> tuple[Tensor, Tensor]:
        """Return the loss of all of train, without the decay's part, and the logits."""
        logits = self._task.network(self._inputs)
        return cross_entropy(logits, self._targets, weight=self._task.class_weights), logits

    @torch.no_grad()
    def _measure_epoch(self, weight_decay: float) -> EpochMetrics:
        loss, logits = self._compute_loss()
        accuracy = (logits.argmax(1) == self._targets).float().mean()
        epoch_number = len(self._result.history) + 1
        val_loss, val_accuracy = validate(self._task.network, self._task, self._runtime, self._world)
        return EpochMetrics(
            epoch=epoch_number,
            lr=1.0,
            train_loss=loss.item(),
            train_accuracy=accuracy.item(),
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            weight_decay=weight_decay,
        )

    def _state_dict(self) -> StateDict:
        return {"network": self._start_weights, **self._result.state_dict()}
