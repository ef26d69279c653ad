"""Long sequences are hard: the gradient that reaches their first symbol falls exponentially."""

import numpy as np
import torch

from vision_pipeline.models.input_gradients import first_step_grad_norm
from vision_pipeline.models.recurrent import RecurrentNetwork

LENGTHS = (5, 10, 20, 40, 80)


def by_length(cell: str, forget_bias: float = 1.0) -> list[float]:
    torch.manual_seed(0)
    settings = {"cell": cell, "hidden": 32, "layers": 1, "forget_bias": forget_bias, "input_bias": 0.0, "dropout": 0.0}
    network = RecurrentNetwork(settings, [80], 8).eval()
    symbols, targets = torch.randint(8, (64, 80)), torch.randint(8, (64,))
    return [first_step_grad_norm(network, symbols[:, :length], targets) for length in LENGTHS]


def test_it_falls_exponentially_in_a_tanh_network() -> None:
    logarithms = np.log(by_length("elman"))
    slope, level = np.polyfit(LENGTHS, logarithms, 1)
    assert slope < -0.3
    assert np.abs(logarithms - slope * np.array(LENGTHS) - level).max() < 0.1 * abs(slope) * LENGTHS[-1]


def test_an_lstm_that_forgets_little_keeps_it() -> None:
    elman, lstm = by_length("elman"), by_length("lstm", forget_bias=6.0)
    assert lstm[-1] / lstm[0] > 0.1
    assert elman[-1] / elman[0] < 1e-9


def test_a_memoryless_network_passes_none() -> None:
    assert by_length("none") == [0.0] * len(LENGTHS)


def test_it_is_the_slope_of_the_loss() -> None:
    """By a small change of the first vector along the gradient."""
    torch.manual_seed(0)
    network = RecurrentNetwork(
        {"cell": "gru", "hidden": 4, "layers": 1, "forget_bias": 0.0, "input_bias": 0.0, "dropout": 0.0}, [], 3
    ).double()
    symbols, target = torch.tensor([[0, 2, 1]]), torch.tensor([1])
    vectors = network.embed(symbols).double()

    def loss(first: torch.Tensor) -> torch.Tensor:
        changed = torch.cat([first[None, None], vectors[:, 1:]], 1)
        state = torch.zeros(1, 1, 1, 4, dtype=torch.float64)
        return torch.nn.functional.cross_entropy(network.run_cells(changed, state)[0][:, -1], target)

    slopes = [
        (loss(vectors[0, 0] + 1e-5 * unit) - loss(vectors[0, 0] - 1e-5 * unit)) / 2e-5
        for unit in torch.eye(3, dtype=torch.float64)
    ]
    assert abs(torch.stack(slopes).norm().item() - first_step_grad_norm(network.float(), symbols, target)) < 1e-5
