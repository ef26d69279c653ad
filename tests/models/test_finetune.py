"""A backbone that trains on from one of its layers."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.build import build_model, count_parameters

RESNET = {"library": "torchvision", "network": "resnet18"}
NETWORK, HEAD = 11_176_512, 512 * 2 + 2
LAST_STAGE = 8_393_728  # layer4 of ResNet-18


def build_finetune(unfreeze: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model("finetune", {"backbone": RESNET, "unfreeze": unfreeze}, [32, 32, 3], 2)


def norms(network: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}


@pytest.mark.parametrize(
    ("unfreeze", "trained"), [("all", NETWORK + HEAD), ("layer4", LAST_STAGE + HEAD), ("none", HEAD)]
)
def test_what_trains(unfreeze: str, trained: int) -> None:
    assert count_parameters(build_finetune(unfreeze)) == (NETWORK + HEAD, trained)


def test_a_layer_within_a_layer_can_be_the_first() -> None:
    trained = [
        name for name, parameter in build_finetune("layer4.1.conv2").named_parameters() if parameter.requires_grad
    ]
    assert trained == [
        "backbone.layer4.1.conv2.weight",
        "backbone.layer4.1.bn2.weight",
        "backbone.layer4.1.bn2.bias",
        "output.weight",
        "output.bias",
    ]


@pytest.mark.parametrize(
    ("unfreeze", "trains"),
    [("all", lambda name: True), ("layer4", lambda name: "layer4" in name), ("none", lambda name: False)],
)
def test_frozen_layers_stay_in_evaluation_mode(unfreeze: str, trains: Callable[[str], bool]) -> None:
    network = build_finetune(unfreeze).train()
    assert {name: norm.training for name, norm in norms(network).items()} == {n: trains(n) for n in norms(network)}
    network.eval()
    assert not any(module.training for module in network.modules())


def test_a_step_changes_the_unfrozen_layers_and_no_statistics_of_the_others() -> None:
    network = build_finetune("layer4").train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD([weight for weight in network.parameters() if weight.requires_grad], 0.1)
    nn.functional.cross_entropy(network(images(4)), torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith(("backbone.layer4.", "output."))}


def images(count: int) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("unfreeze", "hint"), [("layer5", "did you mean 'layer4'?"), ("xyz", "allowed: all, avgpool, bn1, conv1, fc, ")]
)
def test_an_unknown_layer_is_refused(unfreeze: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"unfreeze is '{unfreeze}', no layer of the backbone; {hint}")):
        build_finetune(unfreeze)


def test_images_that_the_network_cannot_take_are_refused() -> None:
    settings = {"backbone": {"library": "timm", "network": "vit_tiny_patch16_224"}, "unfreeze": "all"}
    with pytest.raises(ConfigError, match="cannot take 32x32 pixels"):
        build_model("finetune", settings, [32, 32, 3], 2)
