"""Features onto disk."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

from stages.compute.device import Machine
from stages.compute.pixels import FromPixels, to_unit
from stages.models.backbones import backbone
from stages.models.features import Extractor, mean_and_std
from stages.project.console import Refusal, bar

ABOUT = {"name": "lite0", "mean": [0.4, 0.5, 0.6], "std": [0.5, 0.4, 0.3]}
SHAPE = [32, 32, 3]
CPU = Machine(torch.device("cpu"), "fp32", 1, "test")


def plain(pixels: Tensor, rows: Tensor, step: int) -> Tensor:
    return to_unit(pixels)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return backbone("timm", "tf_efficientnet_lite0").eval().requires_grad_(False)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_features_are_the_networks_on_normalised_pixels(network: nn.Module, images: np.ndarray) -> None:
    extractor = Extractor(network, ABOUT, CPU, 2, SHAPE)
    into = np.zeros((5, extractor.size), np.float16)
    with bar(5, "test") as shown:
        extractor.write(images, plain, into, shown)
        assert shown.n == 5
    expected = FromPixels(network, ABOUT["mean"], ABOUT["std"])(torch.from_numpy(images))
    np.testing.assert_allclose(into, expected.numpy(), rtol=2e-3, atol=1e-3)


def test_each_batch_is_changed_with_its_rows_and_number(network: nn.Module, images: np.ndarray) -> None:
    seen: list[tuple[list[int], int]] = []

    def change(pixels: Tensor, rows: Tensor, step: int) -> Tensor:
        seen.append((rows.tolist(), step))
        return to_unit(pixels)

    with bar(5, "test") as shown:
        Extractor(network, ABOUT, CPU, 2, SHAPE).write(images, change, np.zeros((5, 1280), np.float16), shown)
    assert seen == [([0, 1], 0), ([2, 3], 1), ([4], 2)]


def test_features_that_are_not_finite_are_refused(network: nn.Module, images: np.ndarray) -> None:
    with bar(5, "test") as shown, pytest.raises(Refusal, match=r"lite0 gives features .* not finite"):
        Extractor(network, ABOUT, CPU, 5, SHAPE).write(
            images, lambda pixels, rows, step: to_unit(pixels) * float("nan"), np.zeros((5, 1280), np.float16), shown
        )


def test_full_device_memory_names_the_batch_size(
    network: nn.Module, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = Extractor(network, ABOUT, CPU, 5, SHAPE)

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(extractor._network, "forward", full)
    with bar(5, "test") as shown, pytest.raises(Refusal, match=r"lower features\.\*\.batch_size \(5\)"):
        extractor.write(images, plain, np.zeros((5, 1280), np.float16), shown)


SIXTEENTHS = st.integers(-2000, 2000).map(lambda count: count / 16)


@given(arrays.arrays(np.float16, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=SIXTEENTHS))
def test_mean_and_deviation_are_numpys(features: np.ndarray) -> None:
    mean, std = mean_and_std(features)
    wide = features.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=1e-6, atol=1e-9)
    constant = (features == features[0]).all(0)
    np.testing.assert_allclose(std, np.where(constant, 1.0, wide.std(0)), rtol=1e-5, atol=1e-6)
