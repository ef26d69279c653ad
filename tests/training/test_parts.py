from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.config.models import TrainConfig
from vision_pipeline.runtime.preprocessing import normalization_stats
from vision_pipeline.training.batches import ALL_ROWS, ArrayDataset, Batch
from vision_pipeline.training.optimizers import build_optimizer, lr_at
from vision_pipeline.training.results import EpochMetrics, read_history, write_history
from vision_pipeline.training.task import FeatureTransform, ImageTransform, compute_class_weights

SETTINGS = {
    "epochs": 1, "batch_size": 4, "optimizer": "sgd", "lr": 1.0, "head_lr": 1.0, "bias_lr": 1.0,
    "momentum": 0.0, "weight_decay": 0.0, "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.0,
    "mixup": 0.0, "cutmix": 0.0, "class_weights": "none", "clip_norm": 0.0, "ema": 0.0, "compile": False, "patience": 0,
}  # fmt: skip
CPU = torch.device("cpu")
NOTHING = AugmentationPolicy(name="none", dataset=None, steps=TransformConfig())


def rows(count: int) -> ArrayDataset:
    return ArrayDataset(np.arange(count, dtype=np.uint8).reshape(count, 1, 1, 1), np.arange(count), CPU)


def test_every_row_comes_once_an_epoch_in_a_keyed_order():
    first, again, second = ([b.targets.tolist() for b in rows(10).iter_batches(4, 0, epoch)] for epoch in (1, 1, 2))
    assert first == again != second
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(10))
    assert [len(batch) for batch in first] == [4, 4, 2]


def test_a_last_batch_of_one_joins_the_one_before():
    assert [len(b.targets) for b in rows(9).iter_batches(4, 0, 1)] == [4, 5]
    assert rows(9).num_batches(4) == 2
    assert [len(b.targets) for b in rows(1).iter_batches(4, 0, 1)] == [1]


def test_938_batches_of_64_make_60000_images():
    assert rows(0).num_batches(64) == 1
    mnist = ArrayDataset(np.zeros((60_000, 1), np.uint8), np.zeros(60_000, np.int64), CPU)
    assert mnist.num_batches(64) == 938
    sizes = [len(batch.targets) for batch in mnist.iter_batches(64, 0, 1)]
    assert (sizes[:-1], sizes[-1]) == ([64] * 937, 32)


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


def test_mapped_rows_equal_rows_in_memory(tmp_path, monkeypatch):
    inputs = np.random.default_rng(0).integers(0, 255, (7, 2, 2, 1), dtype=np.uint8)
    np.save(tmp_path / "inputs.npy", inputs)
    monkeypatch.setattr("vision_pipeline.training.batches._fits", lambda size, device: False)
    mapped = ArrayDataset(np.load(tmp_path / "inputs.npy", mmap_mode="r"), np.arange(7), CPU)
    assert all(torch.equal(b.inputs, torch.from_numpy(inputs[b.targets.numpy()])) for b in mapped.iter_batches(3, 0, 1))


@pytest.mark.parametrize(
    ("schedule", "warmup", "rates"),
    [
        ("constant", 0.0, [1, 1, 1, 1, 1]),
        ("linear", 0.0, [1, 0.75, 0.5, 0.25, 0]),
        ("cosine", 0.0, [1, 0.853553, 0.5, 0.146447, 0]),
        ("constant", 0.4, [1 / 3, 2 / 3, 1, 1, 1]),
        ("one-cycle", 0.4, [0.28, 0.76, 1, 0.500002, 4e-6]),
    ],
)
def test_learning_rates(schedule, warmup, rates):
    settings = TrainConfig(**SETTINGS | {"schedule": schedule, "warmup": warmup})
    assert [lr_at(step, 5, settings) for step in range(5)] == pytest.approx(rates, abs=1e-6)


def test_sgd_subtracts_rate_times_gradient_exactly():
    network = nn.Linear(2, 1)
    before, optimizer = network.weight.detach().clone(), build_optimizer(network, TrainConfig(**SETTINGS | {"lr": 0.5}))
    network(torch.tensor([[1.0, -2.0]])).sum().backward()
    optimizer.step(0.5)
    assert torch.equal(network.weight.detach(), before - 0.5 * torch.tensor([[1.0, -2.0]]))


def test_biases_and_frozen_parameters_are_left_out():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    network[0].requires_grad_(False)
    built = build_optimizer(network, TrainConfig(**SETTINGS | {"weight_decay": 0.1, "optimizer": "adamw"}))
    found = {
        part: (sum(p.numel() for p in each.parameters), each.weight_decay) for part, each in built.param_groups.items()
    }
    assert found == {"hidden": (6, 0.1), "biases": (2, 0)}


def test_balanced_weights_give_every_class_the_same_say():
    weights = compute_class_weights([30, 10], "balanced", CPU)
    assert weights.tolist() == pytest.approx([2 / 3, 2])
    assert (weights * torch.tensor([30, 10])).tolist() == pytest.approx([20, 20])
    assert compute_class_weights([30, 10], "none", CPU) is None


def test_validation_inputs_are_not_augmented():
    def darken(pixels, indices, *, seed, epoch, step, rows):
        return torch.zeros(1, 1, 1, 1)

    images = ImageTransform(darken, [0.5], [0.5], 0, CPU)
    pixels = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)
    assert images.apply_train(Batch(torch.arange(1), pixels, torch.arange(1), 1, 0), ALL_ROWS).item() == -1
    assert images.apply_eval(pixels).item() == 1


def test_features_are_standardised():
    features = FeatureTransform([1.0, 2.0], [2.0, 4.0], CPU)
    stored = torch.tensor([[3.0, 2.0]], dtype=torch.float16)
    batch = Batch(torch.arange(1), stored, torch.arange(1), 1, 0)
    assert features.apply_train(batch, ALL_ROWS).tolist() == [[1.0, 0.0]]


def test_history_round_trip(tmp_path):
    history = [EpochMetrics(1, 0.1, 1.5, 0.25, 1.25, 0.5, 0.0), EpochMetrics(2, 0.01, 0.5, 0.75, 0.625, 0.875, 0.1)]
    write_history(tmp_path / "history.csv", history)
    assert read_history(tmp_path / "history.csv") == history
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,lr,train_loss,train_accuracy,val_loss,val_accuracy,weight_decay"


def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss():
    figures = ((1, 0.5), (1, 0.6), (2, 0.6))
    low, high, higher_loss = (EpochMetrics(1, 0, 0, 0, loss, accuracy, 0) for loss, accuracy in figures)
    assert low.is_better_than(None)
    assert high.is_better_than(low)
    assert not higher_loss.is_better_than(high)
