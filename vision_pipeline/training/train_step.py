"""One step of training, and the evaluation on the validation split."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.runtime.device import Runtime, to_device_async
from vision_pipeline.runtime.inference import choose_inference_batch_size, eval_mode
from vision_pipeline.training.batches import ALL_ROWS, Batch
from vision_pipeline.training.cuda_graph import CUDAGraphStep
from vision_pipeline.training.ema import ModelEma
from vision_pipeline.training.fused_optimizers import LearningRate
from vision_pipeline.training.losses import MixedTargets, cross_entropy_loss, mixup_cutmix
from vision_pipeline.training.optimizers import build_optimizer
from vision_pipeline.training.ranks import DistributedContext, Shard
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.text_batches import TextBatches, TextEvalSet


class TrainStep:
    """The step from a batch to new weights: network, optimizer, moving average."""

    def __init__(self, task: TrainTask, settings: TrainConfig, runtime: Runtime, world: DistributedContext) -> None:
        self._task, self._settings, self._runtime, self._world = task, settings, runtime, world
        self._optimizer = build_optimizer(task.network, settings)
        self._ema = ModelEma(task.network, settings.ema) if settings.ema else None
        self._hidden_state: Tensor | None = None  # of a text's streams before the next step; None means zero
        network = world.wrap_ddp(task.network)
        self._network = torch.compile(network) if settings.compile else network
        self._cuda_graph = self._make_cuda_graph()

    @property
    def eval_network(self) -> nn.Module:
        """The network that is validated and kept: the average of the weights where there is one."""
        return self._ema.network if self._ema else self._task.network

    def reset_hidden_state(self) -> None:
        """Reset the hidden state, so that a text's streams are read from their beginning."""
        self._hidden_state = None

    def run(self, batch: Batch, lr: float, global_step: int) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's shard of a batch.

        Args:
            batch: the batch of all ranks.
            lr: learning rate.
            global_step: number of the step in the whole training, from 0.

        Returns:
            The shard's mean loss, float32 (), and its number of correct predictions, int64 ().
        """
        settings, shard = self._settings, self._world.shard(len(batch.targets))
        inputs, mixed_targets = (
            self._mix_batch(batch) if settings.mixup or settings.cutmix else (None, MixedTargets(batch.targets))
        )
        inputs = self._task.train_transform(batch, shard.rows) if inputs is None else inputs[shard.rows]
        if self._cuda_graph:
            loss, correct = self._cuda_graph(
                inputs, mixed_targets.targets, to_device_async(torch.tensor(lr), self._runtime.device)
            )
        else:
            loss, correct = self._forward_backward_step(inputs, mixed_targets, shard, lr)
        if self._ema:
            self._ema.update(self._task.network, global_step)
        return loss, correct

    def state_dict(self) -> dict[str, Any]:
        """Return all that later steps depend on, except random numbers."""
        return {
            "network": self._task.network.state_dict(),
            "average": self._ema.network.state_dict() if self._ema else None,
            "optimizer": self._optimizer.state_dict(),
            "carried": self._hidden_state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a `state_dict`."""
        self._task.network.load_state_dict(state["network"])
        if self._ema:
            self._ema.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if state["carried"] is not None:
            self._hidden_state = state["carried"].to(self._runtime.device)

    def _make_cuda_graph(self) -> CUDAGraphStep | None:
        """Return the step as a CUDA graph; None where it cannot be one, such as with mixing, which draws on the CPU."""
        settings, world = self._settings, self._world
        unsupported = settings.compile or settings.mixup or settings.cutmix or isinstance(self._task.train, TextBatches)
        if self._runtime.device.type != "cuda" or world.size > 1 or unsupported:
            return None
        batch_size = settings.batch_size
        return CUDAGraphStep(
            lambda inputs, targets, lr: self._forward_backward_step(
                inputs, MixedTargets(targets), world.shard(batch_size), lr
            ),
            batch_size,
        )

    def _mix_batch(self, batch: Batch) -> tuple[Tensor, MixedTargets]:
        """Mix the whole batch, because an input of another rank may be mixed into one of this rank."""
        settings, rng_key = self._settings, (self._task.seed, batch.epoch, batch.step)
        inputs = self._task.train_transform(batch, ALL_ROWS)
        return mixup_cutmix(inputs, batch.targets, mixup=settings.mixup, cutmix=settings.cutmix, rng_key=rng_key)

    def _forward_backward_step(
        self, inputs: Tensor, mixed_targets: MixedTargets, shard: Shard, lr: LearningRate
    ) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's inputs; return their mean loss and the number of correct ones, both ()."""
        shard_targets, class_weights = mixed_targets.select(shard.rows), self._task.class_weights
        with self._runtime.autocast():
            logits = self._forward(inputs).float()
        loss = cross_entropy_loss(logits, shard_targets, class_weights, self._settings.label_smoothing)
        loss = shard.scale_loss(loss, shard_targets.normalizer(class_weights), mixed_targets.normalizer(class_weights))
        self._backward_step(loss, lr)
        return loss.detach(), (logits.detach().argmax(1) == shard_targets.targets).sum() * shard.contributes

    def _forward(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes), one row for each input, or for each token of a text.

        A text continues with the hidden state of the step before.
        """
        if not isinstance(self._task.train, TextBatches):
            logits: Tensor = self._network(inputs)
            return logits
        network: Any = self._network
        logits, hidden_state = network.forward_with_state(inputs, self._hidden_state)
        self._hidden_state = hidden_state.detach()
        return logits.flatten(0, -2)

    def _backward_step(self, loss: Tensor, lr: LearningRate) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        if self._settings.clip_norm:
            nn.utils.clip_grad_norm_(self._task.network.parameters(), self._settings.clip_norm)
        self._optimizer.step(lr)


def validate(network: nn.Module, task: TrainTask, runtime: Runtime, world: DistributedContext) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy (0 to 1) on the task's validation split, which the ranks divide."""
    losses, corrects, eval_set = [], [], task.val
    if isinstance(eval_set, TextEvalSet):
        batches = eval_set.iter_sequential()
    else:
        batches = eval_set.iter_sequential(
            choose_inference_batch_size(eval_set.input_shape, runtime.device), world.rank, world.size
        )
    world.broadcast_buffers(network)
    with eval_mode(network), torch.inference_mode():
        for inputs, targets in batches:
            with runtime.autocast():
                logits = network(task.eval_transform(inputs)).float().flatten(0, -2)
            losses.append(cross_entropy(logits, targets, reduction="sum"))
            corrects.append((logits.argmax(1) == targets).sum())
    # tolist waits for the device
    totals = [sum(torch.stack(batch_values).tolist()) for batch_values in (losses, corrects)]
    loss, correct = world.all_reduce_sum(torch.tensor(totals, dtype=torch.float64)).tolist()
    return loss / len(eval_set), correct / len(eval_set)
