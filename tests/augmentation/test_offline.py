"""Augmented copies: each pass is a training epoch's augmentation in stored order."""

import numpy as np
import torch

from vision_pipeline.augmentation.offline import _BATCH_SIZE, iter_augmented
from vision_pipeline.augmentation.policy import AugmentationPolicy


def _policy(**steps: object) -> AugmentationPolicy:
    return AugmentationPolicy.model_validate({"name": "p", "dataset": "d", "steps": steps})


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def test_without_steps_the_copies_are_the_images() -> None:
    images = _images(5)
    assert np.array_equal(
        np.concatenate(list(iter_augmented(_policy(), images, seed=0, num_passes=2))), np.concatenate([images, images])
    )


def test_each_pass_is_the_augmentation_of_an_epoch() -> None:
    images, policy = _images(300), _policy(hflip=0.5)
    batches = list(iter_augmented(policy, images, seed=3, num_passes=2))
    assert [len(batch) for batch in batches] == [_BATCH_SIZE, 300 - _BATCH_SIZE] * 2
    last_pixels, last_rows = torch.from_numpy(images[_BATCH_SIZE:]), torch.arange(_BATCH_SIZE, 300)
    expected = policy.apply(last_pixels, last_rows, seed=3, epoch=2, step=1) * 255
    assert np.array_equal(batches[3], expected.round().to(torch.uint8).permute(0, 2, 3, 1).numpy())
    assert not np.array_equal(batches[0], batches[2])
