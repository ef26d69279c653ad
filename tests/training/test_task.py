"""The transforms of a batch, and the weights of classes."""

import numpy as np
import pytest
import torch

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.runtime.preprocessing import normalization_stats
from vision_pipeline.training.batches import ALL_ROWS, ArrayDataset, Batch
from vision_pipeline.training.task import FeatureTransform, ImageTransform, compute_class_weights

CPU = torch.device("cpu")
NOTHING = AugmentationPolicy(name="none", dataset=None, steps=TransformConfig())


def test_a_batch_of_grey_images_is_a_tensor_of_four_dimensions_from_minus_one_to_one():
    pixels = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), dtype=np.uint8)
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    images = ImageTransform(NOTHING.apply, **normalization_stats("symmetric", [0.1], [0.3]), seed=0, device=CPU)
    split = ArrayDataset(pixels, np.arange(96) % 10, CPU)
    batches = list(split.iter_batches(64, 0, 1))
    seen = [images.apply_train(batch, ALL_ROWS) for batch in batches]
    assert [tuple(batch.shape) for batch in seen] == [(64, 1, 28, 28), (32, 1, 28, 28)]
    assert [(tuple(batch.targets.shape), batch.targets.dtype) for batch in batches] == [
        ((64,), torch.int64), ((32,), torch.int64),
    ]  # fmt: skip
    assert {batch.dtype for batch in seen} == {torch.float32}
    assert (min(batch.min() for batch in seen), max(batch.max() for batch in seen)) == (-1, 1)


def test_balanced_weights_give_every_class_the_same_say():
    weights = compute_class_weights([30, 10], "balanced", CPU)
    assert weights.tolist() == pytest.approx([2 / 3, 2])
    assert (weights * torch.tensor([30, 10])).tolist() == pytest.approx([20, 20])
    assert compute_class_weights([30, 10], "none", CPU) is None


def test_validation_inputs_are_not_augmented():
    def darken(pixels, indices, seed, epoch, step, rows):
        return torch.zeros(1, 1, 1, 1)

    images = ImageTransform(darken, [0.5], [0.5], seed=0, device=CPU)
    pixels = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)
    assert images.apply_train(Batch(torch.arange(1), pixels, torch.arange(1), epoch=1, step=0), ALL_ROWS).item() == -1
    assert images.apply_eval(pixels).item() == 1


def test_features_are_standardised():
    features = FeatureTransform([1.0, 2.0], [2.0, 4.0], CPU)
    stored = torch.tensor([[3.0, 2.0]], dtype=torch.float16)
    batch = Batch(torch.arange(1), stored, torch.arange(1), epoch=1, step=0)
    assert features.apply_train(batch, ALL_ROWS).tolist() == [[1.0, 0.0]]
