"""A step of training recorded as a CUDA graph, and replayed: a GPU is asked for all of it at once.

A step is hundreds of kernels. Asked for by Python one by one, they keep a GPU waiting longer than it takes to run those
of a small network. Replayed, the same kernels work on the same memory, so the bits stay the same.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
"""

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP_STEPS = 3  # steps in which libraries choose kernels and take memory, which no recording may hold

Tensors = tuple[Tensor, ...]


class CUDAGraphStep:
    """A step that is recorded when it has been done a few times, and replayed from then on.

    Args:
        step: from inputs, targets and whatever else changes from step to step, on the GPU, to tensors, valid until the
            next step. It never waits for the device, and changes tensors in place only.
        rows: of the batches that are recorded; others, as an epoch's last, are done step by step.
    """

    def __init__(self, step: Callable[..., Tensors], batch_size: int) -> None:
        self._step, self._batch_size, self._warm_up_steps_done = step, batch_size, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._static_inputs: Tensors = ()
        self._static_outputs: Tensors = ()

    def __call__(self, *inputs: Tensor) -> Tensors:
        """Do it."""
        if len(inputs[0]) != self._batch_size:
            return self._step(*inputs)
        if self._warm_up_steps_done < _WARM_UP_STEPS:
            self._warm_up_steps_done += 1
            return self._warm_up(inputs)
        if self._graph is None:
            return self._capture(inputs)
        torch._foreach_copy_(list(self._static_inputs), list(inputs))
        self._graph.replay()
        return self._static_outputs

    def _warm_up(self, inputs: Tensors) -> Tensors:
        """On a stream of its own, as a recording is made."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self._step(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def _capture(self, inputs: Tensors) -> Tensors:
        """What is recorded is not done yet: it is replayed at once."""
        graph, self._static_inputs = torch.cuda.CUDAGraph(), tuple(tensor.clone() for tensor in inputs)
        with torch.cuda.graph(graph):
            self._static_outputs = self._step(*self._static_inputs)
        graph.replay()
        self._graph = graph
        return self._static_outputs
