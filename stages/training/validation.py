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
    losses, rights, val = [], [], task.val
    if isinstance(val, Passage):
        batches = val.in_order()
    else:
        batches = val.in_order(rows_at_once(val.shape, machine.device), world.rank, world.size)
    world.broadcast_buffers(network)
    with evaluating(network), torch.inference_mode():
        for inputs, targets in batches:
            with machine.autocast():
                logits = network(task.to_val(inputs)).float().flatten(0, -2)
            losses.append(cross_entropy(logits, targets, reduction="sum"))
            rights.append((logits.argmax(1) == targets).sum())
    sums = [sum(torch.stack(parts).tolist()) for parts in (losses, rights)]  # the device is waited for here
    loss, correct = world.sum(torch.tensor(sums, dtype=torch.float64)).tolist()
    return loss / len(val), correct / len(val)
