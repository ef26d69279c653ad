import torch

from benchmarks import features
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def test_both_ways_train_the_same_head(monkeypatch):
    monkeypatch.setattr(features, "SIZE", 32)
    trainings = features.HeadTrainings(20, 3, CPU)
    cached, recomputed = trainings.train_on_cached_features(), trainings.train_with_backbone()
    for a, b in zip(cached.history, recomputed.history, strict=True):
        assert abs(a.train_loss - b.train_loss) < 1e-3  # cached features are float16
    assert len(cached.history) == 3
    assert cached.history[0] != cached.history[1]
    shapes = [tensor.shape for tensor in cached.weights.values()]
    assert [tensor.shape for name, tensor in recomputed.weights.items() if name.startswith("head.")] == shapes


def test_the_backbone_sees_an_image_once_or_in_each_epoch(monkeypatch):
    monkeypatch.setattr(features, "SIZE", 32)
    trainings = features.HeadTrainings(20, 3, CPU)
    seen = []
    trainings._backbone.conv_stem.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    trainings.train_on_cached_features()
    assert batches(seen) == [16, 4]
    seen.clear()
    trainings.train_with_backbone()
    assert batches(seen) == [16, *3 * [16, 4, 2, 16]]  # two validate; 16 show what each layer does


def batches(seen):
    """Leave out single images, by which the number of features and the fused backbone are checked."""
    return [count for count in seen if count > 1]
