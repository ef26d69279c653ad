"""Mixup and CutMix: what is mixed, in which shares, and what that means for the loss."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_training import CPU, SETTINGS, a_task
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from vision_pipeline.training.losses import MixedTargets, cross_entropy_loss, mixup_cutmix
from vision_pipeline.training.trainer import fit

COUNT = 12
PLACES = torch.arange(COUNT)
# each image is flat, its value its place in the batch
IMAGES = torch.arange(COUNT, dtype=torch.float32)[:, None, None, None].expand(COUNT, 3, 9, 7).contiguous()


def blended(goal: MixedTargets) -> Tensor:
    """Return the mean of each mixed image."""
    return goal.lam * goal.targets + (1 - goal.lam) * goal.targets_b


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from([(0.2, 0.0), (0.0, 1.0), (1.0, 1.0)]))
def test_shares_say_how_much_of_an_image_is_its_own(epoch: int, step: int, alphas: tuple[float, float]) -> None:
    mixup, cutmix = alphas
    mixed, goal = mixup_cutmix(IMAGES, PLACES, mixup=mixup, cutmix=cutmix, rng_key=(0, epoch, step))
    assert torch.allclose(mixed.flatten(1).mean(1), blended(goal), atol=1e-4)
    assert torch.equal(goal.targets, PLACES)
    assert sorted(goal.targets_b.tolist()) == list(range(COUNT))


def test_mixup_blends_whole_images_and_cutmix_pastes_a_rectangle() -> None:
    blend, _ = mixup_cutmix(IMAGES, PLACES, mixup=1.0, cutmix=0.0, rng_key=(0, 1, 0))
    assert all(len(image.unique()) == 1 for image in blend)
    pasted, goal = mixup_cutmix(IMAGES, PLACES, mixup=0.0, cutmix=1.0, rng_key=(0, 1, 0))
    for place, image in enumerate(pasted):
        foreign = image[0] != place
        if goal.targets_b[place] != place and foreign.any():
            rows, columns = foreign.any(1), foreign.any(0)
            assert torch.equal(foreign, rows[:, None] & columns[None, :])
            assert set(image.unique().tolist()) <= {float(place), float(goal.targets_b[place])}
    assert 0 < int((pasted != IMAGES).sum()) < IMAGES.numel()


def test_the_same_key_mixes_the_same_and_the_global_generators_stay() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, again, other = (
        mixup_cutmix(IMAGES, PLACES, mixup=1.0, cutmix=1.0, rng_key=(0, 1, step))[0] for step in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_with_both_each_batch_gets_one_kind() -> None:
    batches = [mixup_cutmix(IMAGES, PLACES, mixup=1.0, cutmix=1.0, rng_key=(0, 1, step))[0] for step in range(20)]
    pasted = {torch.equal(batch, batch.round()) for batch in batches}
    assert pasted == {True, False}


@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 3.0, 0.5])])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_unmixed_inputs_have_the_usual_loss(weights: Tensor | None, smoothing: float) -> None:
    logits, targets = torch.randn(8, 3), torch.arange(8) % 3
    goal = MixedTargets(targets, targets.flip(0), torch.ones(8))
    usual = cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)
    assert cross_entropy_loss(logits, goal, weights, smoothing).item() == pytest.approx(usual.item(), rel=1e-6)


def test_the_loss_is_that_of_soft_targets() -> None:
    logits, targets = torch.randn(8, 3), torch.arange(8) % 3
    goal = MixedTargets(targets, targets[torch.randperm(8)], torch.rand(8))
    own, other = one_hot(targets, 3), one_hot(goal.targets_b, 3)
    soft = goal.lam[:, None] * own + (1 - goal.lam[:, None]) * other
    assert cross_entropy_loss(logits, goal, None, 0.0).item() == pytest.approx(cross_entropy(logits, soft).item())


def test_training_mixes_features() -> None:
    plain, mixed = (
        fit(a_task(0.0), SETTINGS.model_copy(update={"mixup": alpha}), CPU, lambda epoch: None) for alpha in (0.0, 1.0)
    )
    assert mixed.history[-1].train_loss > plain.history[-1].train_loss
    assert mixed.best is not None and mixed.best.val_accuracy >= 0.8
