"""Recurrent networks: the seed's U, W and V, the same at every step, and cells that are torch's."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from vision_pipeline.models.build import build_model, count_parameters

SYMBOLS, HIDDEN = 6, 5


def settings(cell: str, **changes: Any) -> dict[str, Any]:
    return {
        "cell": cell,
        "hidden": HIDDEN,
        "layers": 1,
        "forget_bias": 1.0,
        "input_bias": 0.0,
        "dropout": 0.0,
        "steps": 4,
    } | changes


def network(cell: str, shape: list[int] | None = None, **changes: Any) -> Any:
    torch.manual_seed(0)
    return build_model("recurrent", settings(cell, **changes), shape or [], SYMBOLS).eval()


def text(*shape: int) -> torch.Tensor:
    return torch.randint(SYMBOLS, shape, generator=torch.Generator().manual_seed(1))


def test_the_elman_cell_is_torchs_with_the_same_weights() -> None:
    own = network("elman")
    theirs = nn.RNN(SYMBOLS, HIDDEN, batch_first=True)
    cell = own.cells[0]
    theirs.load_state_dict(
        {"weight_ih_l0": cell.U, "weight_hh_l0": cell.W, "bias_ih_l0": cell.bias, "bias_hh_l0": torch.zeros(HIDDEN)}
    )
    expected = own.output(theirs(one_hot(text(3, 40), SYMBOLS).float())[0])
    torch.testing.assert_close(own(text(3, 40)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["elman", "none", "lstm", "gru"])
def test_a_step_is_what_reading_does_at_each(cell: str) -> None:
    model = network(cell)
    layer = model.cells[0]
    vectors = one_hot(text(3, 20), SYMBOLS).float()
    outputs, last = layer(vectors, torch.zeros(layer.num_states, 3, HIDDEN))
    state = torch.zeros(layer.num_states, 3, HIDDEN)
    for at, projected in enumerate(layer.project_input(vectors).unbind(1)):
        state = layer.step(state, projected)
        torch.testing.assert_close(state[0], outputs[:, at], rtol=0, atol=1e-6)
    torch.testing.assert_close(state, last, rtol=0, atol=1e-6)


def test_the_matrices_are_of_the_vocabulary_and_of_the_state() -> None:
    torch.manual_seed(0)
    hello = build_model("recurrent", settings("elman", hidden=8), [], 4)
    assert {name: tuple(tensor.shape) for name, tensor in hello.state_dict().items()} == {
        "cells.0.U": (8, 4),
        "cells.0.W": (8, 8),
        "cells.0.bias": (8,),
        "output.weight": (4, 8),
        "output.bias": (4,),
    }
    assert count_parameters(hello) == (140, 140)


@pytest.mark.parametrize("length", [1, 2, 5, 100])
def test_the_number_of_weights_does_not_depend_on_the_length(length: int) -> None:
    assert count_parameters(network("elman", [length])) == count_parameters(network("elman", [7]))
    assert network("elman", [length])(text(3, length)).shape == (3, SYMBOLS)


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_the_number_of_a_gated_cells_weights(cell: str, gates: int) -> None:
    cells = network(cell, layers=2).cells
    assert count_parameters(cells[0])[0] == gates * (HIDDEN * SYMBOLS + HIDDEN**2 + 2 * HIDDEN)
    assert count_parameters(cells[1])[0] == gates * (HIDDEN * HIDDEN + HIDDEN**2 + 2 * HIDDEN)


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])
def test_what_came_earlier_changes_what_comes_later(cell: str) -> None:
    first = text(1, 10)
    other = torch.cat([first[:, :5].flip(1), first[:, 5:]], 1)
    assert not torch.equal(first[:, :5], other[:, :5])
    model = network(cell)
    assert not torch.allclose(model(first)[:, 5:], model(other)[:, 5:], atol=1e-6)


def test_without_w_nothing_is_remembered() -> None:
    none, zero = network("none"), network("elman")
    with torch.no_grad():
        zero.cells[0].W.zero_()
    for forgetful in (none, zero):
        logits = forgetful(text(1, 50))[0]
        for symbol in range(SYMBOLS):
            there = logits[text(1, 50)[0] == symbol]
            torch.testing.assert_close(there, there[:1].expand_as(there), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "none"])
@pytest.mark.parametrize("cut", [1, 7, 19])
def test_a_text_read_in_two_parts_is_the_text(cell: str, cut: int) -> None:
    model, whole = network(cell, layers=2), text(3, 20)
    before, state = model.forward_with_state(whole[:, :cut], None)
    after, _ = model.forward_with_state(whole[:, cut:], state)
    torch.testing.assert_close(torch.cat([before, after], 1), model(whole), rtol=0, atol=1e-6)


def test_no_step_sees_what_comes_after_it() -> None:
    longer = text(2, 30)
    torch.testing.assert_close(network("gru")(longer)[:, :10], network("gru")(longer[:, :10]), rtol=0, atol=1e-6)


def test_every_step_has_the_same_weights() -> None:
    """Unrolled by hand with one set of weights for each step, the gradients add up to the network's."""
    model, symbols, targets = network("elman", [3]), text(4, 3), text(4)
    cross_entropy(model(symbols), targets).backward()
    cell = model.cells[0]
    copies = [cell.W.detach().clone().requires_grad_() for _ in range(3)]
    state = torch.zeros(1, 4, HIDDEN)
    for weight, vector in zip(copies, one_hot(symbols, SYMBOLS).float().unbind(1), strict=True):
        state = torch.tanh(vector @ cell.U.T + cell.bias + state @ weight.T)
    cross_entropy(model.output(state[0]), targets).backward(inputs=copies)
    torch.testing.assert_close(cell.W.grad, sum(copy.grad for copy in copies), rtol=0, atol=1e-6)


def test_forget_and_input_gates_start_at_their_bias() -> None:
    fused = network("lstm", forget_bias=3.0, input_bias=-2.0).cells[0].fused
    i, f, _, _ = (fused.bias_ih_l0 + fused.bias_hh_l0).chunk(4)
    assert torch.equal(f, torch.full((HIDDEN,), 3.0))
    assert torch.equal(i, torch.full((HIDDEN,), -2.0))
    drawn = network("lstm", forget_bias=3.0).cells[0].fused
    assert not torch.equal(drawn.bias_ih_l0[:HIDDEN], drawn.bias_ih_l0[:1].expand(HIDDEN))


def test_an_image_is_read_row_by_row() -> None:
    torch.manual_seed(0)
    model = build_model("recurrent", settings("lstm"), [7, 3, 2], 4).eval()
    images = torch.randn(5, 2, 7, 3)
    assert model(images).shape == (5, 4)
    rows, _ = model.cells[0](images.permute(0, 2, 3, 1).reshape(5, 7, 6), torch.zeros(2, 5, HIDDEN))
    torch.testing.assert_close(model(images), model.output(rows[:, -1]))
