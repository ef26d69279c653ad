"""How many rows go through a network at a time."""

import pytest
import torch

from vision_pipeline.runtime.inference import choose_inference_batch_size


@pytest.mark.parametrize(
    ("shape", "on_a_cpu", "elsewhere"),
    [([224, 224, 3], 8, 16), ([32, 32, 3], 392, 784), ([28, 28, 1], 512, 1000), ([1024], 1000, 1000)],
)
def test_half_as_many_pixels_go_through_at_a_time_on_a_cpu(shape: list[int], on_a_cpu: int, elsewhere: int) -> None:
    assert choose_inference_batch_size(shape, torch.device("cpu")) == on_a_cpu
    assert choose_inference_batch_size(shape, torch.device("cuda")) == elsewhere
