"""Seconds of training a head on a frozen backbone: features computed once and cached, or in every epoch.

Both ways end with the same head, that of params.yaml's DenseNet121: same images, same folded backbone, same order, same
engine. The backbone is EfficientNet-Lite0 with random weights: its speed does not depend on them.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common import load_model_config, make_random_images, setup_and_print_runtime
from benchmarks.timing import measure_in_turns, measure_seconds
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.models.backbones import create_backbone, infer_feature_size
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.models.features import FeatureExtractor
from vision_pipeline.models.fuse import fuse_conv_bn
from vision_pipeline.models.transfer import attach_head
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.preprocessing import Normalize, uint8_to_float
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import FeatureTransform, TrainTask
from vision_pipeline.training.trainer import fit

BACKBONE, MODEL, SIZE, BATCH_SIZE, ROUNDS = "tf_efficientnet_lite0", "cats_dogs-densenet121", 224, 16, 2
BACKBONE_INFO: dict[str, Any] = {"name": BACKBONE, "mean": [127 / 255] * 3, "std": [128 / 255] * 3}
NUM_CLASSES = 10  # random images have so many


class HeadTrainings:
    """Two ways of training the same head on `count` random images; a tenth of them are also the validation split."""

    def __init__(self, count: int, epochs: int, runtime: Runtime) -> None:
        self._model, self._runtime = load_model_config(MODEL), runtime
        changes = {"epochs": epochs, "batch_size": BATCH_SIZE, "patience": 0}
        self._settings = self._model.train.model_copy(update=changes)
        self._pixels, self._targets = make_random_images(count, SIZE)
        torch.manual_seed(0)
        self._backbone = create_backbone("timm", BACKBONE).requires_grad_(False).eval()
        self._num_features = infer_feature_size(self._backbone, SIZE, SIZE)

    def train_on_cached_features(self) -> TrainResult:
        """Train as the stages featurize and train do: the backbone sees every image once."""
        extractor = FeatureExtractor(
            self._backbone, BACKBONE_INFO, runtime=self._runtime, batch_size=BATCH_SIZE, shape=[SIZE, SIZE, 3]
        )
        features = np.empty((len(self._pixels), self._num_features), np.float16)
        with progress_bar(len(features), "features") as pbar:
            extractor.extract_into(self._pixels, lambda pixels, rows, step: uint8_to_float(pixels), features, pbar)
        transform = FeatureTransform([0.0], [1.0], self._runtime.device)  # the head takes features as they are
        return self._train_head(self._build_head(), features, transform.apply_eval)

    def train_with_backbone(self) -> TrainResult:
        """Train backbone and head as one network: the backbone sees every image in every epoch."""
        network = attach_head(fuse_conv_bn(self._backbone, torch.rand(1, 3, SIZE, SIZE)), self._build_head())
        normalize = Normalize(BACKBONE_INFO["mean"], BACKBONE_INFO["std"]).to(self._runtime.device)
        network = network.to(memory_format=torch.channels_last)
        return self._train_head(network, self._pixels, lambda pixels: normalize(uint8_to_float(pixels)))

    def _build_head(self) -> nn.Module:
        torch.manual_seed(0)
        settings = architecture_config(self._model)
        return build_model(self._model.architecture, settings, [self._num_features], NUM_CLASSES)

    def _train_head(self, network: nn.Module, inputs: np.ndarray, prepare: Callable[[Tensor], Tensor]) -> TrainResult:
        device, num_val = self._runtime.device, len(inputs) // 10
        task = TrainTask(
            name="head",
            network=network.to(device),
            train=ArrayDataset(inputs, self._targets, device),
            val=ArrayDataset(inputs[:num_val], self._targets[:num_val], device),
            train_transform=lambda batch, rows: prepare(batch.inputs[rows]),
            eval_transform=prepare,
            class_weights=None,
            seed=0,
        )
        return fit(task, self._settings, self._runtime, lambda epoch: None)


def main() -> None:
    """Measure both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    trainings = HeadTrainings(args.images, args.epochs, setup_and_print_runtime())
    seconds = measure_in_turns(
        ROUNDS,
        cached=lambda: measure_seconds(trainings.train_on_cached_features),
        recomputed=lambda: measure_seconds(trainings.train_with_backbone),
    )
    description = f"{BACKBONE}, {args.images} images of {SIZE} px, {args.epochs} epochs"
    print(f"{description}: with cached features {seconds['recomputed'] / seconds['cached']:.1f} times as fast")


if __name__ == "__main__":
    main()
