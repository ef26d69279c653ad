"""A step of training: a batch goes forward, its loss back, and the weights move."""

from typing import Any

import torch
from torch import Tensor, nn

from stages.compute.device import Machine
from stages.compute.sending import sent
from stages.params.training import Train
from stages.training.average import Average
from stages.training.batches import ALL, Batch
from stages.training.loss import Goal, mean_loss
from stages.training.mixing import mix
from stages.training.optimizers import build_optimizer
from stages.training.recorded import Recorded
from stages.training.shard import Shard
from stages.training.streams import Streams
from stages.training.task import Task
from stages.training.updates import Rate
from stages.training.world import World


class Learner:
    """What turns a batch into new weights: the network as it is called, the optimizer, the moving average."""

    def __init__(self, task: Task, settings: Train, machine: Machine, world: World) -> None:
        self._task, self._settings, self._machine, self._world = task, settings, machine, world
        self._optimizer = build_optimizer(task.network, settings)
        self._average = Average(task.network, settings.ema) if settings.ema else None
        self._carried: Tensor | None = None  # a text's streams' state before the next step; None: zero
        network = world.replicated(task.network)
        self._network = torch.compile(network) if settings.compile else network
        self._recorded = self._recording()

    @property
    def network(self) -> nn.Module:
        """What is validated and kept: the average of the weights where there is one."""
        return self._average.network if self._average else self._task.network

    def begin_streams(self) -> None:
        """A text's streams are read from their beginning."""
        self._carried = None

    def step(self, batch: Batch, rate: float, number: int) -> tuple[Tensor, Tensor]:
        """One update of the weights, by this rank's share of a batch.

        Args:
            batch: of all ranks.
            rate: of learning.
            number: of the step in the whole training, from 0.

        Returns:
            The mean loss, float32 (), and how many are right, int64 (), of this rank's share.
        """
        settings, shard = self._settings, self._world.shard(len(batch.targets))
        inputs, goal = self._mixed(batch) if settings.mixup or settings.cutmix else (None, Goal(batch.targets))
        inputs = self._task.to_train(batch, shard.rows) if inputs is None else inputs[shard.rows]
        if self._recorded:
            loss, right = self._recorded(inputs, goal.targets, sent(torch.tensor(rate), self._machine.device))
        else:
            loss, right = self._learn(inputs, goal, shard, rate)
        if self._average:
            self._average.update(self._task.network, number)
        return loss, right

    def state(self) -> dict[str, Any]:
        """All that later steps depend on, but for random numbers."""
        return {
            "network": self._task.network.state_dict(),
            "average": self._average.network.state_dict() if self._average else None,
            "optimizer": self._optimizer.state_dict(),
            "carried": self._carried,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._task.network.load_state_dict(state["network"])
        if self._average:
            self._average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if state["carried"] is not None:
            self._carried = state["carried"].to(self._machine.device)

    def _recording(self) -> Recorded | None:
        """Of whole steps, where a GPU may be asked for all of one at once: what mixes draws on the CPU in between."""
        settings, world = self._settings, self._world
        apart = settings.compile or settings.mixup or settings.cutmix or isinstance(self._task.train, Streams)
        if self._machine.device.type != "cuda" or world.size > 1 or apart:
            return None
        rows = settings.batch_size
        return Recorded(lambda inputs, targets, rate: self._learn(inputs, Goal(targets), world.shard(rows), rate), rows)

    def _mixed(self, batch: Batch) -> tuple[Tensor, Goal]:
        """The whole batch: what is mixed into this rank's inputs may be another's."""
        settings, place = self._settings, (self._task.seed, batch.epoch, batch.step)
        return mix(self._task.to_train(batch, ALL), batch.targets, settings.mixup, settings.cutmix, *place)

    def _learn(self, inputs: Tensor, goal: Goal, shard: Shard, rate: Rate) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's inputs of a batch; their mean loss and how many are right, both ()."""
        own, weights = goal.of(shard.rows), self._task.class_weights
        with self._machine.autocast():
            logits = self._logits(inputs).float()
        loss = mean_loss(logits, own, weights, self._settings.label_smoothing)
        loss = shard.of_mean(loss, own.weight(weights), goal.weight(weights))
        self._update(loss, rate)
        return loss.detach(), (logits.detach().argmax(1) == own.targets).sum() * shard.counted

    def _logits(self, inputs: Tensor) -> Tensor:
        """Of each input (N, classes); of a text of each symbol, read on from where the step before it ended."""
        if not isinstance(self._task.train, Streams):
            logits: Tensor = self._network(inputs)
            return logits
        network: Any = self._network
        logits, carried = network.advance(inputs, self._carried)
        self._carried = carried.detach()
        return logits.flatten(0, -2)

    def _update(self, loss: Tensor, rate: Rate) -> None:
        self._optimizer.zero_grad()
        loss.backward()
        if self._settings.clip_norm:
            nn.utils.clip_grad_norm_(self._task.network.parameters(), self._settings.clip_norm)
        self._optimizer.step(rate)
