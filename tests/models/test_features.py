"""Features onto disk."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

from vision_pipeline.core.errors import ArtifactError, UserError
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.models.backbones import create_backbone
from vision_pipeline.models.features import FeatureExtractor, compute_feature_mean_std
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.preprocessing import PixelModel, uint8_to_float

INFO = {"name": "lite0", "mean": [0.4, 0.5, 0.6], "std": [0.5, 0.4, 0.3]}
SHAPE = [32, 32, 3]
CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def plain(pixels: Tensor, rows: Tensor, step: int) -> Tensor:
    return uint8_to_float(pixels)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return create_backbone("timm", "tf_efficientnet_lite0").eval().requires_grad_(False)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)


def test_features_are_the_networks_on_normalised_pixels(network: nn.Module, images: np.ndarray) -> None:
    extractor = FeatureExtractor(network, INFO, runtime=CPU, batch_size=2, shape=SHAPE)
    into = np.zeros((5, extractor.num_features), np.float16)
    with progress_bar(5, "test") as pbar:
        extractor.extract_into(images, plain, into, pbar)
        assert pbar.n == 5
    expected = PixelModel(network, INFO["mean"], INFO["std"])(torch.from_numpy(images))
    np.testing.assert_allclose(into, expected.numpy(), rtol=2e-3, atol=1e-3)


def test_each_batch_is_changed_with_its_rows_and_number(network: nn.Module, images: np.ndarray) -> None:
    seen: list[tuple[list[int], int]] = []

    def change(pixels: Tensor, rows: Tensor, step: int) -> Tensor:
        seen.append((rows.tolist(), step))
        return uint8_to_float(pixels)

    with progress_bar(5, "test") as pbar:
        FeatureExtractor(network, INFO, runtime=CPU, batch_size=2, shape=SHAPE).extract_into(
            images, change, np.zeros((5, 1280), np.float16), pbar
        )
    assert seen == [([0, 1], 0), ([2, 3], 1), ([4], 2)]


def test_features_that_are_not_finite_are_refused(network: nn.Module, images: np.ndarray) -> None:
    with progress_bar(5, "test") as pbar, pytest.raises(ArtifactError, match=r"lite0 gives features .* not finite"):
        FeatureExtractor(network, INFO, runtime=CPU, batch_size=5, shape=SHAPE).extract_into(
            images,
            lambda pixels, rows, step: uint8_to_float(pixels) * float("nan"),
            np.zeros((5, 1280), np.float16),
            pbar,
        )


def test_full_device_memory_names_the_batch_size(
    network: nn.Module, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor = FeatureExtractor(network, INFO, runtime=CPU, batch_size=5, shape=SHAPE)

    def full(*_: object) -> Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(extractor._network, "forward", full)
    with progress_bar(5, "test") as pbar, pytest.raises(UserError, match=r"lower features\.\*\.batch_size \(5\)"):
        extractor.extract_into(images, plain, np.zeros((5, 1280), np.float16), pbar)


SIXTEENTHS = st.integers(-2000, 2000).map(lambda count: count / 16)


@given(arrays.arrays(np.float16, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=SIXTEENTHS))
def test_mean_and_deviation_are_numpys(features: np.ndarray) -> None:
    mean, std = compute_feature_mean_std(features)
    wide = features.astype(np.float64)
    np.testing.assert_allclose(mean, wide.mean(0), rtol=1e-6, atol=1e-9)
    constant = (features == features[0]).all(0)
    np.testing.assert_allclose(std, np.where(constant, 1.0, wide.std(0)), rtol=1e-5, atol=1e-6)
