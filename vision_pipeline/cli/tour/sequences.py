"""Sequences: recurrent networks"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from vision_pipeline.cli.tour.tour_data import TourData

_LETTERS = "helo"  # the vocabulary of "hello"


def shared_matrices(data: TourData) -> None:
    """Every step uses the same matrices, U for the input, W for the state, one for the output, however long the text.

    The vocabulary is the set of letters; it is no matrix, though the matrix of the output is often called V, too.
    """
    network: Any = nn.RNN(input_size=4, hidden_size=8, batch_first=True)
    print("U", tuple(network.weight_ih_l0.shape), "W", tuple(network.weight_hh_l0.shape))
    print([tuple(network(torch.zeros(1, steps, 4))[0].shape) for steps in (4, 100)])


def state(data: TourData) -> None:
    """Each state depends on the one before: another first letter changes the last output. W = 0 would forget it."""
    network: Any = nn.RNN(4, 8, batch_first=True)
    hell, oell = _one_hot_encode("hell"), _one_hot_encode("oell")
    print("remembers:", not torch.equal(network(hell)[0][:, -1], network(oell)[0][:, -1]))
    network.weight_hh_l0.data.zero_()
    print("with W = 0:", not torch.equal(network(hell)[0][:, -1], network(oell)[0][:, -1]))


def hello(data: TourData) -> None:
    """Trained to follow each letter of "hell" by the next, and given its own answers as inputs, it spells the word.

    "l" is followed by "l" and then by "o": only the state can tell which. L(t-1), L(t) are steps in time, not layers.
    """
    recurrent, output = nn.RNN(4, 8, batch_first=True), nn.Linear(8, 4)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *output.parameters()], lr=0.05)
    targets = torch.tensor([_LETTERS.index(letter) for letter in "ello"])
    for _ in range(150):
        optimizer.zero_grad()
        cross_entropy(output(recurrent(_one_hot_encode("hell"))[0])[0], targets).backward()
        optimizer.step()
    word, memory = "h", None
    while len(word) < 5:
        values, memory = recurrent(_one_hot_encode(word[-1]), memory)
        word += _LETTERS[output(values)[0, -1].argmax()]
    print(word)


def unrolled(data: TourData) -> None:
    """Steps in time drawn side by side. They look like layers, but U, W and V are the same weights at each of them."""
    letters, answers = "hell", "ello"
    print("      ".join(answers), "  outputs")
    print("      ".join("V" for _ in answers))
    print("".join(f"s{step}--W->" for step in range(1, 4)) + "s4", "  states")
    print("      ".join("U" for _ in letters))
    print("      ".join(letters), "  inputs")
    recurrent = nn.RNN(4, 8, batch_first=True)
    states = recurrent(_one_hot_encode(letters))[0]
    print(states.shape[1], "states by", sum(weight.numel() for weight in recurrent.parameters()), "weights")


def _one_hot_encode(text: str) -> Tensor:
    """Return one-hot letters, float32 (1, steps, 4)."""
    return one_hot(torch.tensor([[_LETTERS.index(letter) for letter in text]]), 4).float()
