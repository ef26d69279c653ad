"""Recurrent networks: each step computes a state from its input and the previous state, with the same weights.

For a text the output is the logits of the next symbol at each step; for a sequence of symbols, or an image read row by
row, the logits of its class at the last step. Symbols enter as one-hot vectors, so that U has a column for each.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from vision_pipeline.models.layers import Dropout, RecurrentLayer


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return a recurrent network.

    Args:
        settings: `cell`, `hidden`, `layers`, `forget_bias`, `input_bias` and `dropout`.
        input_shape: [] of a text, [length] of sequences, [height, width, channels] of images.
        classes: the number of logits; of a text and of sequences also the number of symbols that can be read.
    """
    return RecurrentNetwork(settings, input_shape, classes)


class Elman(RecurrentLayer):
    """A plain cell: h_t = tanh(U x_t + W h_{t-1} + b); without W it remembers nothing.

    The output layer of the network is V of the usual figure.

    Source: Elman, Finding structure in time, Cognitive Science 14 (1990).
    """

    num_states = 1  # h

    def __init__(self, input_size: int, hidden_size: int, with_recurrence: bool = True) -> None:
        super().__init__()
        bound = hidden_size**-0.5  # torch's default
        self.U = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(-bound, bound))
        self.W = (
            nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(-bound, bound)) if with_recurrence else None
        )
        self.bias = nn.Parameter(torch.zeros(hidden_size))

    def project_input(self, values: Tensor) -> Tensor:
        """Compute the part of a step that needs no state, (..., inputs) to (..., hidden)."""
        return linear(values, self.U, self.bias)

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """Compute the state (1, N, hidden) after a step from the state before it and the projected input."""
        return torch.tanh(projected + (0 if self.W is None else linear(state, self.W))).view_as(state)

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute outputs (N, T, hidden) of inputs (N, T, inputs), and the state after them."""
        outputs = []
        for projected in self.project_input(values).unbind(1):
            state = self.step(state, projected)
            outputs.append(state[0])
        return torch.stack(outputs, 1), state


class _FusedCell(nn.Module):
    """One of torch's cells, which computes all steps in one operation; `step` writes a single step out."""

    def __init__(self, fused: nn.RNNBase) -> None:
        super().__init__()
        self.fused = fused

    def project_input(self, values: Tensor) -> Tensor:
        """Compute the part of a step that needs no state, (..., inputs) to (..., gates * hidden)."""
        weight, _, bias, _ = self.fused.all_weights[0]
        return linear(values, weight, bias)

    def project_hidden(self, hidden: Tensor) -> Tensor:
        """Compute the part of the gates that depends on the previous state, (N, hidden) to (N, gates * hidden)."""
        _, weight, _, bias = self.fused.all_weights[0]
        return linear(hidden, weight, bias)


class LSTM(_FusedCell):
    """A cell with a state of two parts, h and c; gates decide what is forgotten, stored and passed on.

    The gates' rows are in torch's order: input gate i, forget gate f, candidate g, output gate o.
    Sources: Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997); Gers et al., Learning to
    forget, Neural Computation 12 (2000), for the forget gate; Jozefowicz et al., ICML 2015, for its bias at the start;
    Tallec and Ollivier, Can recurrent neural networks warp time, ICLR 2018, for the input gate's bias: a cell that
    remembers for long must not be filled at every step.
    """

    num_states = 2  # h and c

    def __init__(self, input_size: int, hidden_size: int, *, forget_bias: float, input_bias: float) -> None:
        super().__init__(nn.LSTM(input_size, hidden_size, batch_first=True))
        _, _, bias_ih, bias_hh = self.fused.all_weights[0]  # a gate's bias is the sum of two
        with torch.no_grad():
            bias_ih[hidden_size : 2 * hidden_size], bias_hh[hidden_size : 2 * hidden_size] = forget_bias, 0
            if input_bias:  # 0 leaves torch's random bias
                bias_ih[:hidden_size], bias_hh[:hidden_size] = input_bias, 0

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """Compute the state (2, N, hidden) after a step from the state before it and the projected input."""
        i, f, g, o = (projected + self.project_hidden(state[0])).chunk(4, -1)
        cell = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        return torch.stack([torch.sigmoid(o) * torch.tanh(cell), cell])

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute outputs (N, T, hidden) of inputs (N, T, inputs), and the state after them."""
        outputs, (hidden, cell) = self.fused(values, (state[:1].contiguous(), state[1:].contiguous()))
        return outputs, torch.cat([hidden, cell])


class GRU(_FusedCell):
    """A cell with a state of one part, h, and two gates.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, arXiv 1406.1078.
    """

    num_states = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(nn.GRU(input_size, hidden_size, batch_first=True))

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """Compute the state (1, N, hidden) after a step from the state before it and the projected input."""
        reset, update, candidate = projected.chunk(3, -1)
        hidden_reset, hidden_update, hidden_candidate = self.project_hidden(state[0]).chunk(3, -1)
        keep = torch.sigmoid(update + hidden_update)
        new_hidden = torch.tanh(candidate + torch.sigmoid(reset + hidden_reset) * hidden_candidate)
        return (keep * state[0] + (1 - keep) * new_hidden).view_as(state)

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute outputs (N, T, hidden) of inputs (N, T, inputs), and the state after them."""
        outputs, state = self.fused(values, state)
        return outputs, state


def _make_cell(settings: dict[str, Any], input_size: int) -> Elman | LSTM | GRU:
    hidden_size = settings["hidden"]
    if settings["cell"] == "lstm":
        return LSTM(input_size, hidden_size, forget_bias=settings["forget_bias"], input_bias=settings["input_bias"])
    if settings["cell"] == "gru":
        return GRU(input_size, hidden_size)
    return Elman(input_size, hidden_size, with_recurrence=settings["cell"] == "elman")


class RecurrentNetwork(nn.Module):
    """Cells, each of which reads the outputs of the one before, and an output layer.

    Its weights are named `cells.{i}.{U,W,bias}`, or `cells.{i}.fused...`, and `output.{weight,bias}`.
    """

    def __init__(self, settings: dict[str, Any], input_shape: list[int], classes: int) -> None:
        super().__init__()
        self._is_text, self._is_image, self._vocab_size = not input_shape, len(input_shape) == 3, classes
        self.is_token_model = not self._is_image
        input_size = input_shape[1] * input_shape[2] if self._is_image else classes
        cells = [
            _make_cell(settings, input_size),
            *(_make_cell(settings, settings["hidden"]) for _ in range(settings["layers"] - 1)),
        ]
        self._state_shape = (len(cells), cells[0].num_states, settings["hidden"])
        self.cells = nn.ModuleList(cells)
        self.dropout = Dropout(settings["dropout"])
        self.output = nn.Linear(settings["hidden"], classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute raw logits, beginning with the zero state.

        Args:
            inputs: int64 (N, T) of symbols, or normalised float (N, C, H, W).

        Returns:
            float (N, T, classes) of a text, else (N, classes).
        """
        return self.forward_with_state(inputs, None)[0]

    def forward_with_state(self, inputs: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute logits as `forward` does, from a given state.

        Args:
            inputs: as `forward` takes them.
            state: float (layers, num_states, N, hidden), or None for zeros.

        Returns:
            The logits, and the state after the last step.
        """
        return self.run_cells(self.embed(inputs), state)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return the first cell's inputs, float32 (N, T, D): one-hot symbols, or the rows of images."""
        if self._is_image:
            return inputs.permute(0, 2, 3, 1).flatten(2)
        return one_hot(inputs, self._vocab_size).float()

    def run_cells(self, embedded: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute what `forward_with_state` does, from the first cell's inputs (N, T, D)."""
        if state is None:
            num_layers, num_states, hidden_size = self._state_shape
            state = torch.zeros(num_layers, num_states, embedded.shape[0], hidden_size, device=embedded.device)
        new_states = []
        for cell, cell_state in zip(self.cells, state, strict=True):
            outputs, new_state = _run_cell(cell, embedded, cell_state)
            new_states.append(new_state)
            embedded = self.dropout(outputs)
        logits: Tensor = self.output(embedded if self._is_text else embedded[:, -1])
        return logits, torch.stack(new_states)


def _run_cell(cell: Any, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """Run a cell over all steps; in an export as one operation, so that the graph is valid for any number of steps."""
    if not torch.compiler.is_exporting():
        outputs, state = cell(values, state)
        return outputs, state
    from torch._higher_order_ops.scan import scan  # imports the compiler, a second

    def step(previous: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
        updated = cell.step(previous, projected)
        return updated, updated[0].clone()

    state, outputs = scan(step, state, cell.project_input(values).transpose(0, 1))
    return outputs.transpose(0, 1), state
