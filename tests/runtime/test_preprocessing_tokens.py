"""A text in streams is the text."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.inference import predict_logits
from vision_pipeline.runtime.preprocessing import TokenModel, split_into_streams

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


@given(st.integers(1, 20_000))
def test_row_after_row_it_is_the_text_again(length: int) -> None:
    text = np.random.default_rng(length).integers(0, 256, length).astype(np.uint8)
    streams = split_into_streams(text, fill=7)
    assert streams.dtype == np.uint8
    assert streams.shape[0] == max(1, length // 1000)
    assert np.array_equal(streams.ravel()[:length], text)
    assert (streams.ravel()[length:] == 7).all()


class Position(nn.Module):
    """A network that says at each step how many symbols it has read, and which one it reads."""

    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        read = torch.arange(1, symbols.shape[1] + 1).expand_as(symbols)
        return torch.stack([read, symbols], 2).float()


def test_the_outputs_of_a_text_are_those_of_its_streams_in_its_order() -> None:
    text = (np.arange(40_500) % 200).astype(np.uint8)
    found = predict_logits(TokenModel(Position()), text, CPU).numpy()
    assert found.shape == (40_500, 2)
    assert np.array_equal(found[:, 1], text)
    length = split_into_streams(text).shape[1]
    assert np.array_equal(found[:, 0], np.arange(40_500) % length + 1)
