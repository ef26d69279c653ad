"""The views that test-time augmentation averages over."""

import pytest
import torch
from torch import nn

from vision_pipeline.runtime.tta import TTAModel, shift_images

IMAGE = torch.arange(9, dtype=torch.uint8).view(1, 3, 3, 1)


def test_a_shift_moves_right_and_down_and_reflects_at_the_edge():
    assert shift_images(IMAGE, 1).view(3, 3).tolist() == [[4, 3, 4], [1, 0, 1], [4, 3, 4]]
    assert shift_images(IMAGE, -1).view(3, 3).tolist() == [[4, 5, 4], [7, 8, 7], [4, 5, 4]]
    assert torch.equal(shift_images(IMAGE, 0), IMAGE)


class Corner(nn.Module):
    """Says the value of the first pixel, and notes how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.num_calls = 0

    def forward(self, pixels):
        self.num_calls += 1
        return pixels[:, 0, 0].float()


@pytest.mark.parametrize(
    ("views", "num_calls", "expected"),
    [
        ("mirror", 2, (0 + 2) / 2),
        ("shift", 3, 0 / 2 + (4 + 4) / 4),
        ("mirror-shift", 6, (0 + 2) / 2 / 2 + ((4 + 4) / 2 + (4 + 4) / 2) / 4),
    ],
)
def test_logits_are_averaged_with_the_sources_weights(views, num_calls, expected):
    network = Corner()
    assert TTAModel(network, views)(IMAGE).tolist() == [[expected]]
    assert network.num_calls == num_calls
