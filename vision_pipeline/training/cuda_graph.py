"""A training step captured as a CUDA graph and replayed, so that the GPU gets all of its kernels at once.

A step is hundreds of kernels. Launched by Python one by one, they keep a GPU waiting longer than it takes to run those
of a small network. Replayed, the same kernels work on the same memory, so the bits stay the same.
Source: https://docs.pytorch.org/docs/stable/notes/cuda.html#whole-network-capture
"""

from collections.abc import Callable

import torch
from torch import Tensor

from vision_pipeline.core.logging import logger

_WARM_UP_STEPS = 3  # in these steps libraries choose kernels and allocate memory, which a capture must not contain

Tensors = tuple[Tensor, ...]


class CUDAGraphStep:
    """A step that is captured after a few warm-up steps, and replayed from then on.

    Args:
        step: function of inputs, targets and whatever else changes from step to step, all on the GPU. It returns
            tensors that are valid until the next step, never waits for the device, and changes tensors in place only.
        batch_size: rows of the batches that are captured; another batch, such as an epoch's last, is run directly.
    """

    def __init__(self, step: Callable[..., Tensors], batch_size: int) -> None:
        self._step, self._batch_size, self._warm_up_steps_done = step, batch_size, 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._static_inputs: Tensors = ()
        self._static_outputs: Tensors = ()

    def __call__(self, *inputs: Tensor) -> Tensors:
        """Run the step, by replay where it has been captured."""
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
        """Run the step on a side stream, where a capture runs, too."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            outputs = self._step(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        return outputs

    def _capture(self, inputs: Tensors) -> Tensors:
        """Capture the step and replay it at once, because a capture computes nothing."""
        graph, self._static_inputs = torch.cuda.CUDAGraph(), tuple(tensor.clone() for tensor in inputs)
        with torch.cuda.graph(graph):
            self._static_outputs = self._step(*self._static_inputs)
        graph.replay()
        self._graph = graph
        logger.debug("the training step is captured as a CUDA graph and replayed from now on")
        return self._static_outputs
