"""How good a network is on the validation split."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stages.compute.device import Machine
from stages.compute.inference import evaluating, rows_at_once
from stages.training.streams import Passage
from stages.training.task import Task
from stages.training.world import World


def validate(network: nn.Module, task: Task, machine: Machine, world: World) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0 to 1) on the task's validation split, of which each rank does its part."""
    loss, correct, val = 0.0, 0, task.val
    batches = (
        val.in_order() if isinstance(val, Passage) else val.in_order(rows_at_once(val.shape), world.rank, world.size)
    )
    world.broadcast_buffers(network)
    with evaluating(network), torch.inference_mode():
        for inputs, targets in batches:
            with machine.autocast():
                logits = network(task.to_val(inputs)).float().flatten(0, -2)
            loss += cross_entropy(logits, targets, reduction="sum").item()
            correct += int((logits.argmax(1) == targets).sum())
    loss, correct = world.sum(torch.tensor([loss, correct], dtype=torch.float64)).tolist()
    return loss / len(val), correct / len(val)
