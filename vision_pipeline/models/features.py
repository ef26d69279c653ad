"""Features of images by a frozen backbone, computed batch by batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.models.backbones import infer_feature_size
from vision_pipeline.models.fuse import fuse_conv_bn
from vision_pipeline.runtime.device import Runtime, catch_oom
from vision_pipeline.runtime.preprocessing import Normalize

_MIN_STD = 1e-6  # a feature with a smaller deviation over the images counts as constant
_CHUNK_ROWS = 4096  # of features that are float64 in memory at a time

BatchTransform = Callable[[Tensor, Tensor, int], Tensor]


class FeatureExtractor:
    """A frozen backbone on a device, with its batch norms fused; `num_features` is the number of its features."""

    def __init__(
        self, network: nn.Module, backbone_info: dict[str, Any], *, runtime: Runtime, batch_size: int, shape: list[int]
    ) -> None:
        """Copy `network`, fuse its batch norms and move it to the device; the original is not changed.

        Args:
            network: the backbone.
            backbone_info: its `name`, and `mean` and `std` of its inputs.
            runtime: device and precision.
            batch_size: images in a forward pass.
            shape: [height, width, 3] of an image.

        Raises:
            ConfigError: the network cannot take such images.
        """
        height, width, _ = shape
        self.num_features = infer_feature_size(network, height, width)
        fused = fuse_conv_bn(network, torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0)))
        normalize = Normalize(backbone_info["mean"], backbone_info["std"])
        self._network = nn.Sequential(normalize, fused.to(memory_format=torch.channels_last)).to(runtime.device)
        self._name, self._runtime, self._batch_size = backbone_info["name"], runtime, batch_size

    @torch.inference_mode()
    def extract_into(self, images: np.ndarray, transform: BatchTransform, out: np.ndarray, pbar: Any) -> None:
        """Compute the features of `images` into `out`.

        Args:
            images: uint8 (N, H, W, 3), also memory-mapped.
            transform: takes the pixels of a batch, their rows and the batch's number; returns float32 (N, 3, H, W) on
                the scale 0 to 1.
            out: float16 (N, D), filled in place.
            pbar: a progress bar that counts images.

        Raises:
            ArtifactError: a feature is not finite.
            UserError: the device's memory ran out.
        """
        for step, start in enumerate(range(0, len(images), self._batch_size)):
            rows = slice(start, start + self._batch_size)
            features = self._compute_features(np.array(images[rows]), transform, start, step)
            if not np.isfinite(features).all():
                raise ArtifactError(f"{self._name} gives features that are not finite; are its weights damaged?")
            out[rows] = features
            pbar.update(len(features))

    def _compute_features(self, images: np.ndarray, transform: BatchTransform, first_row: int, step: int) -> np.ndarray:
        with catch_oom(f" in {self._name}; lower features.*.batch_size ({self._batch_size})"):
            pixels = torch.from_numpy(images).to(self._runtime.device)
            float_images = transform(pixels, first_row + torch.arange(len(images)), step)
            with self._runtime.autocast():
                features: Tensor = self._network(float_images)
            return features.half().cpu().numpy()


def compute_feature_mean_std(features: np.ndarray) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each column of float16 (N, D), as float32 values.

    The deviation of a constant column is 1.
    """
    total, squared_deviations = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), _CHUNK_ROWS):
        total += features[start : start + _CHUNK_ROWS].astype(np.float64).sum(0)
    mean = total / len(features)
    for start in range(0, len(features), _CHUNK_ROWS):
        squared_deviations += ((features[start : start + _CHUNK_ROWS].astype(np.float64) - mean) ** 2).sum(0)
    std = np.sqrt(squared_deviations / len(features))
    return mean.astype(np.float32).tolist(), np.where(std < _MIN_STD, 1.0, std).astype(np.float32).tolist()
