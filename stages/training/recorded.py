"""A step of training recorded as a CUDA graph, and replayed: a GPU is asked for all of it at once.

A step is hundreds of kernels. Asked for by Python one by one, they keep a GPU waiting longer than it takes to run those
of a small network. Replayed, the same kernels work on the same memory, so the bits stay the same.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
"""

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP = 3  # steps in which libraries choose kernels and take memory, which no recording may hold

Tensors = tuple[Tensor, ...]


class Recorded:
    """A step that is recorded when it has been done a few times, and replayed from then on.

    Args:
        step: from inputs, targets and whatever else changes from step to step, on the GPU, to tensors, valid until the
            next step. It never waits for the device, and changes tensors in place only.
        rows: of the batches that are recorded; others, as an epoch's last, are done step by step.
    """

    def __init__(self, step: Callable[..., Tensors], rows: int) -> None:
        self._step, self._rows, self._done = step, rows, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._given: Tensors = ()
        self._found: Tensors = ()

    def __call__(self, *given: Tensor) -> Tensors:
        """Do it."""
        if len(given[0]) != self._rows:
            return self._step(*given)
        if self._done < _WARM_UP:
            self._done += 1
            return self._warm_up(given)
        if self._graph is None:
            return self._record(given)
        torch._foreach_copy_(list(self._given), list(given))
        self._graph.replay()
        return self._found

    def _warm_up(self, given: Tensors) -> Tensors:
        """On a stream of its own, as a recording is made."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            found = self._step(*given)
        torch.cuda.current_stream().wait_stream(stream)
        return found

    def _record(self, given: Tensors) -> Tensors:
        """What is recorded is not done yet: it is replayed at once."""
        graph, self._given = torch.cuda.CUDAGraph(), tuple(tensor.clone() for tensor in given)
        with torch.cuda.graph(graph):
            self._found = self._step(*self._given)
        graph.replay()
        self._graph = graph
        return self._found
