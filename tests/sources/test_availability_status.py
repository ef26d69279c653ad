"""Stand-ins, random weights and better sources are reported."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from vision_pipeline.config.data import AnyDatasetConfig, BackboneConfig
from vision_pipeline.sources import availability
from vision_pipeline.sources.availability import iter_data_status, iter_weight_status

ROOT = Path(__file__).resolve().parents[2]


def _dataset(source: str = "auto", kind: str = "catalog") -> dict[str, AnyDatasetConfig]:
    prepare = {"size": 28, "channels": 1, "validation": 0.1, "test": 0.1}
    path = str(ROOT / "data/catalog/mnist.yaml")
    settings = {"kind": kind, "path": path, "source": source, "prepare": prepare}
    return {"mnist": TypeAdapter(AnyDatasetConfig).validate_python(settings)}


def _at_hand(folder: Path, status: str, source: str) -> None:
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": status, "source": source}))


def _better(monkeypatch: pytest.MonkeyPatch, answer: str | None) -> None:
    def better(*args: Any, **kwargs: Any) -> str | None:
        assert [*args, *kwargs.values()][-1] is True
        return answer

    monkeypatch.setattr(availability, "find_better_source", better)
    monkeypatch.setattr(availability, "find_better_weights", better)


@pytest.mark.parametrize(
    ("status", "source", "requested", "better", "line"),
    [
        ("stand-in", "stand-in", "auto", "mirror", "mnist is a stand-in, but the mirror has real images"),
        (
            "stand-in",
            "stand-in",
            "official",
            "official",
            "mnist is a stand-in, but the official source can be reached and has real images",
        ),
        ("stand-in", "stand-in", "auto", None, "mnist is a stand-in; with real images in DATA_MIRROR, or a network"),
        ("variant", "mirror", "auto", "mirror", "mnist is at hand (variant), but the mirror has other files"),
        (
            "official",
            "official",
            "stand-in",
            "stand-in",
            "mnist is at hand (official), but params.yaml asks for the stand-in",
        ),
    ],
)
def test_one_line_with_the_command(
    status: str, source: str, requested: str, better: str | None, line: str, tmp_path: Path, monkeypatch: Any
) -> None:
    _at_hand(tmp_path / "mnist", status, source)
    _better(monkeypatch, better)
    (notice,) = iter_data_status(_dataset(requested), tmp_path, probe_network=True)
    assert str(notice) == f"{line}: dvc repro -f -s download@mnist"
    assert notice.better_available == (better is not None)


def test_silence_when_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _better(monkeypatch, None)
    assert list(iter_data_status(_dataset(), tmp_path, probe_network=True)) == []
    _at_hand(tmp_path / "mnist", "official", "mirror")
    assert list(iter_data_status(_dataset(), tmp_path, probe_network=True)) == []


def test_a_stand_in_that_was_asked_for_is_no_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _at_hand(tmp_path / "mnist", "stand-in", "stand-in")
    _better(monkeypatch, None)
    assert list(iter_data_status(_dataset("stand-in"), tmp_path, probe_network=True)) == []


def test_a_folder_of_ones_own_has_no_other_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _better(monkeypatch, "mirror")
    assert list(iter_data_status(_dataset(kind="folder"), tmp_path, probe_network=True)) == []


def test_random_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbones = {"densenet121": BackboneConfig(library="torchvision", network="densenet121", source="auto")}
    requested = {"densenet121": BackboneConfig(library="torchvision", network="densenet121", source="random")}
    _better(monkeypatch, None)
    assert list(iter_weight_status(backbones, tmp_path, probe_network=True)) == []
    _at_hand(tmp_path / "densenet121", "random", "random")
    (notice,) = iter_weight_status(backbones, tmp_path, probe_network=True)
    assert (notice.stage, notice.better_available) == ("weights@densenet121", False)
    assert str(notice).startswith("densenet121 has random weights; with real ones in DATA_MIRROR, or a network: dvc ")
    _better(monkeypatch, "package")
    (notice,) = iter_weight_status(backbones, tmp_path, probe_network=True)
    assert notice.message == "densenet121 has random weights, but an installed package has real ones"
    _better(monkeypatch, None)
    assert list(iter_weight_status(requested, tmp_path, probe_network=True)) == []
