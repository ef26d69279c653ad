"""A head on a frozen backbone."""

import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.models.build import build_model, count_parameters
from vision_pipeline.models.checkpoint import (
    Checkpoint,
    build_from_checkpoint,
    build_pixel_model,
    load_checkpoint,
    save_checkpoint,
)
from vision_pipeline.models.transfer import join_backbone
from vision_pipeline.training.optimizers import build_optimizer

NETWORKS = {"densenet121": "torchvision", "tf_efficientnet_lite0": "timm"}  # and their libraries
HEAD = {"hidden": [256], "activation": "relu", "dropout": 0.2}


def joined(name: str, features: int) -> nn.Module:
    torch.manual_seed(0)
    head = build_model("transfer", HEAD, [features], 2)
    info = {"library": NETWORKS[name], "network": name}
    return join_backbone(info, head, feature_mean=[0.5] * features, feature_std=[2.0] * features)


def digest(network: nn.Module) -> str:
    """Over parameters and buffers, batch-norm statistics with them."""
    sha256 = hashlib.sha256()
    for key, tensor in network.state_dict().items():
        sha256.update(key.encode() + tensor.contiguous().numpy().tobytes())
    return sha256.hexdigest()


def test_the_head_of_the_course_has_its_parameters() -> None:
    assert count_parameters(build_model("transfer", HEAD, [1024], 2)) == (262_914, 262_914)
    assert count_parameters(build_model("transfer", {**HEAD, "hidden": [500]}, [1024], 2)) == (513_502, 513_502)


def test_densenet_with_its_head_trains_the_head_alone() -> None:
    network = joined("densenet121", 1024)
    assert count_parameters(network) == (7_216_770, 262_914)
    assert count_parameters(network.backbone) == (6_953_856, 0)
    before = digest(network.backbone), digest(network.head)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.003)
    network.train()
    logits = network(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, 2)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert all(parameter.grad is not None for parameter in network.head.parameters())
    assert digest(network.backbone) == before[0]
    assert digest(network.head) != before[1]


def test_the_optimizer_gets_the_head_alone() -> None:
    network = joined("densenet121", 1024)
    settings = TrainConfig(
        epochs=1, batch_size=1, optimizer="adam", lr=0.003, head_lr=1.0, bias_lr=1.0, momentum=0.0, weight_decay=0.0,
        schedule="constant", warmup=0.0, label_smoothing=0.0, mixup=0.0, cutmix=0.0,
        class_weights="none", clip_norm=0.0, ema=0.0, compile=False, patience=0,
    )  # fmt: skip
    updated = [p for update in build_optimizer(network, settings).param_groups.values() for p in update.parameters]
    assert sum(parameter.numel() for parameter in updated) == 262_914
    assert {id(p) for p in updated}.isdisjoint(id(p) for p in network.backbone.parameters())


def test_the_published_densenet_has_a_thousand_classes() -> None:
    published = torchvision.models.densenet121().eval()
    assert sum(parameter.numel() for parameter in published.parameters()) == 7_978_856
    assert published(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_the_backbone_never_leaves_evaluation_mode() -> None:
    network = joined("tf_efficientnet_lite0", 1280).train()
    assert network.training
    assert network.head.training
    assert not any(module.training for module in network.backbone.modules())
    network.eval()
    assert not any(module.training for module in network.modules())


def test_the_head_gets_standardised_features() -> None:
    network = joined("tf_efficientnet_lite0", 1280).eval()
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(network(images), network.head((network.backbone(images) - 0.5) / 2.0))
    assert not any(key.startswith(("mean", "std")) for key in network.state_dict())


@pytest.mark.parametrize(("name", "features"), [("densenet121", 1024), ("tf_efficientnet_lite0", 1280)])
def test_a_checkpoint_rebuilds_backbone_and_head(tmp_path: Path, name: str, features: int) -> None:
    network = joined(name, features).eval()
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
    info = {"name": "mine", "library": NETWORKS[name], "network": name, "weights": {"status": "random"}}
    written = Checkpoint(
        name="tried",
        architecture="transfer",
        settings=HEAD,
        input_shape=[32, 32, 3],
        class_names=["cat", "dog"],
        normalize={"mean": mean, "std": std},
        backbone=info | {"mean": [0.5] * features, "std": [2.0] * features},
        state_dict=network.state_dict(),
        provenance={},
        training={},
        versions={},
        metrics={},
    )
    save_checkpoint(tmp_path / "c.pth", written)
    read = load_checkpoint(tmp_path / "c.pth")
    images = torch.randn(2, 3, 32, 32)
    again = build_from_checkpoint(read)
    assert torch.equal(again(images), network(images))
    assert count_parameters(again) == count_parameters(network)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    unit = pixels.permute(0, 3, 1, 2).float() / 255
    expected = network((unit - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1))
    torch.testing.assert_close(build_pixel_model(read)(pixels), expected)
