"""Recurrent networks: a state that each step makes of its input and of the state before, by the same weights.

Of a text they give the next symbol's logits at each step; of a sequence of symbols, or of an image read row by row,
the class's logits at the last. Symbols enter as one-hot vectors, so that U has a column for each.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, one_hot

from stages.models.layers import Dropout, StepByStep


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """A network of `settings` cell, hidden, layers, forget_bias, input_bias and dropout.

    Args:
        settings: of the model.
        input_shape: [] of a text, [length] of sequences, [height, width, channels] of images.
        classes: logits; of a text and of sequences also the symbols that can be read.
    """
    return Recurrent(settings, input_shape, classes)


class Elman(StepByStep):
    """h_t = tanh(U x_t + W h_{t-1} + b); without W it remembers nothing. Its output layer is V of the usual figure.

    Source: Elman, Finding structure in time, Cognitive Science 14 (1990).
    """

    parts = 1  # of the state

    def __init__(self, inputs: int, hidden: int, remembers: bool = True) -> None:
        super().__init__()
        bound = hidden**-0.5  # as torch's
        self.U = nn.Parameter(torch.empty(hidden, inputs).uniform_(-bound, bound))
        self.W = nn.Parameter(torch.empty(hidden, hidden).uniform_(-bound, bound)) if remembers else None
        self.bias = nn.Parameter(torch.zeros(hidden))

    def project(self, values: Tensor) -> Tensor:
        """What a step takes of its input, (..., inputs) to (..., hidden); no state is needed for it."""
        return linear(values, self.U, self.bias)

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """The state (1, N, hidden) after a step."""
        return torch.tanh(projected + (0 if self.W is None else linear(state, self.W))).view_as(state)

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (N, T, hidden) of inputs (N, T, inputs), and the state after them."""
        outputs = []
        for projected in self.project(values).unbind(1):
            state = self.step(state, projected)
            outputs.append(state[0])
        return torch.stack(outputs, 1), state


class _Fused(nn.Module):
    """A cell of torch's, which computes all steps in one operation; `step` says what it computes."""

    def __init__(self, fused: nn.RNNBase) -> None:
        super().__init__()
        self.fused = fused

    def project(self, values: Tensor) -> Tensor:
        """As of `Elman`, for all gates."""
        weight, _, bias, _ = self.fused.all_weights[0]
        return linear(values, weight, bias)

    def recall(self, hidden: Tensor) -> Tensor:
        """What the gates take of the state before, (N, hidden) to (N, gates * hidden)."""
        _, weight, _, bias = self.fused.all_weights[0]
        return linear(hidden, weight, bias)


class LSTM(_Fused):
    """A state of two parts, of which gates decide what is forgotten, taken in and told.

    Sources: Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997); Gers et al., Learning to
    forget, Neural Computation 12 (2000), for the forget gate; Jozefowicz et al., ICML 2015, for its bias at the start;
    Tallec and Ollivier, Can recurrent neural networks warp time, ICLR 2018, for the input gate's: a cell that is to
    remember long must not be filled at every step.
    """

    parts = 2  # h, and the cell's c

    def __init__(self, inputs: int, hidden: int, forget_bias: float, input_bias: float) -> None:
        super().__init__(nn.LSTM(inputs, hidden, batch_first=True))
        _, _, bias, other = self.fused.all_weights[0]  # a gate's bias is the sum of two
        with torch.no_grad():
            bias[hidden : 2 * hidden], other[hidden : 2 * hidden] = forget_bias, 0
            if input_bias:  # else as torch draws it
                bias[:hidden], other[:hidden] = input_bias, 0

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """The state (2, N, hidden) after a step."""
        enters, stays, candidate, told = (projected + self.recall(state[0])).chunk(4, -1)
        cell = torch.sigmoid(stays) * state[1] + torch.sigmoid(enters) * torch.tanh(candidate)
        return torch.stack([torch.sigmoid(told) * torch.tanh(cell), cell])

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As of `Elman`."""
        outputs, (hidden, cell) = self.fused(values, (state[:1].contiguous(), state[1:].contiguous()))
        return outputs, torch.cat([hidden, cell])


class GRU(_Fused):
    """A state of one part, and two gates.

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, arXiv 1406.1078.
    """

    parts = 1

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(nn.GRU(inputs, hidden, batch_first=True))

    def step(self, state: Tensor, projected: Tensor) -> Tensor:
        """The state (1, N, hidden) after a step."""
        reset, update, candidate = projected.chunk(3, -1)
        old_reset, old_update, old = self.recall(state[0]).chunk(3, -1)
        stays = torch.sigmoid(update + old_update)
        new = torch.tanh(candidate + torch.sigmoid(reset + old_reset) * old)
        return (stays * state[0] + (1 - stays) * new).view_as(state)

    def forward(self, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As of `Elman`."""
        outputs, state = self.fused(values, state)
        return outputs, state


def _cell(settings: dict[str, Any], inputs: int) -> Elman | LSTM | GRU:
    hidden = settings["hidden"]
    if settings["cell"] == "lstm":
        return LSTM(inputs, hidden, settings["forget_bias"], settings["input_bias"])
    if settings["cell"] == "gru":
        return GRU(inputs, hidden)
    return Elman(inputs, hidden, remembers=settings["cell"] == "elman")


class Recurrent(nn.Module):
    """Cells, each of which reads the one before, and an output layer.

    Its weights are called `cells.{i}.{U,W,bias}`, or `cells.{i}.fused...`, and `output.{weight,bias}`.
    """

    def __init__(self, settings: dict[str, Any], input_shape: list[int], classes: int) -> None:
        super().__init__()
        self._text, self._images, self._symbols = not input_shape, len(input_shape) == 3, classes
        self.reads_symbols = not self._images
        inputs = input_shape[1] * input_shape[2] if self._images else classes
        cells = [_cell(settings, inputs), *(_cell(settings, settings["hidden"]) for _ in range(settings["layers"] - 1))]
        self._state = (len(cells), cells[0].parts, settings["hidden"])
        self.cells = nn.ModuleList(cells)
        self.dropout = Dropout(settings["dropout"])
        self.output = nn.Linear(settings["hidden"], classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Raw logits from the zero state.

        Args:
            inputs: int64 (N, T) of symbols, or normalised float (N, C, H, W).

        Returns:
            (N, T, classes) of a text, else (N, classes).
        """
        return self.advance(inputs, None)[0]

    def advance(self, inputs: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits as of `forward`, and the state (layers, parts, N, hidden) after the last step; None: from zero."""
        return self.read(self.vectors(inputs), state)

    def vectors(self, inputs: Tensor) -> Tensor:
        """float32 (N, T, D): one-hot symbols, or the rows of images."""
        if self._images:
            return inputs.permute(0, 2, 3, 1).flatten(2)
        return one_hot(inputs, self._symbols).float()

    def read(self, vectors: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """As `advance`, from the vectors that enter the first cell."""
        if state is None:
            layers, parts, hidden = self._state
            state = torch.zeros(layers, parts, vectors.shape[0], hidden, device=vectors.device)
        after = []
        for cell, before in zip(self.cells, state, strict=True):
            outputs, last = _read(cell, vectors, before)
            after.append(last)
            vectors = self.dropout(outputs)
        logits: Tensor = self.output(vectors if self._text else vectors[:, -1])
        return logits, torch.stack(after)


def _read(cell: Any, values: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """As the cell itself; in an export as one operation, so that the graph holds for any number of steps."""
    if not torch.compiler.is_exporting():
        outputs, state = cell(values, state)
        return outputs, state
    from torch._higher_order_ops.scan import scan  # imports the compiler, a second

    def step(before: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
        after = cell.step(before, projected)
        return after, after[0].clone()

    state, outputs = scan(step, state, cell.project(values).transpose(0, 1))
    return outputs.transpose(0, 1), state
