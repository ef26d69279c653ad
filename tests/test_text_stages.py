"""A text and a copy task through the stages, from the file to the exports."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stages import download, evaluate, prepare, train
from vision_pipeline.core.errors import UserError
from vision_pipeline.models.checkpoint import load_checkpoint


@pytest.fixture
def params(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes params.yaml into the working folder, a temporary one, with `hello-elman` changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKING", "off")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for folder in ("data/catalog", "data/texts", "data/augmented/none", "data/synthetic/none", "data/weights/none"):
        shutil.copytree(repository / folder, tmp_path / folder)

    def write(text: dict[str, Any] | None = None, /, **changes: Any) -> None:
        content = YAML(typ="safe", pure=True).load(repository / "params.yaml")
        content["threads"] = 1
        content["datasets"]["hello"].update(text or {})
        content["models"]["hello-elman"].update(changes)
        YAML(typ="safe", pure=True).dump(content, Path("params.yaml"))

    return write


def test_hello_from_its_file_to_its_exports(params: Any) -> None:
    params()
    for stage, name in ((download, "hello"), (prepare, "hello"), (train, "hello-elman"), (evaluate, "hello-elman")):
        stage.main(name)
    root = str(Path(__file__).parents[1])
    # in a process of its own, as the stage is: torch notes the sizes of exports that came before in this one
    command = [sys.executable, "-m", "stages.export", "hello-elman"]
    subprocess.run(command, check=True, timeout=300, env={**os.environ, "PYTHONPATH": root})
    metrics = json.loads(Path("reports/models/hello-elman/metrics.json").read_text())
    assert (metrics["correct"], metrics["images"], metrics["parameters"]) == (4, 4, 140)
    assert metrics["loss"] < 1e-3
    assert metrics["bits_per_character"] == pytest.approx(metrics["loss"] / 0.693147, abs=2e-6)
    facts = json.loads(Path("reports/models/hello-elman/data.json").read_text())
    assert (facts["unit"], facts["not_held_out"], facts["shape"]) == ("symbols", ["val", "test"], [])
    assert load_checkpoint(Path("exports/hello-elman/checkpoint.pth")).class_names == ["e", "h", "l", "o"]
    checked = json.loads(Path("exports/hello-elman/parity.json").read_text())["formats"]
    assert {result["accuracy"] for result in checked.values()} == {1.0}


def test_a_text_shorter_than_a_batch_is_refused(params: Any) -> None:
    params(steps=5)
    download.main("hello")
    prepare.main("hello")
    with pytest.raises(
        UserError, match=r"has 4 symbols to train on, .*batch_size is 1 and models\.hello-elman\.steps 5"
    ):
        train.main("hello-elman")


def test_a_copy_task_is_drawn_trained_and_tested(params: Any) -> None:
    task = {"kind": "copy", "path": "data/catalog/copy.yaml", "prepare": {"length": 3}}
    settings = YAML(typ="safe").load(Path(__file__).parents[1] / "params.yaml")["models"]["hello-elman"]["train"]
    params(task, steps=0, train={**settings, "epochs": 2, "batch_size": 64, "lr": 0.01})
    for stage, name in ((download, "hello"), (prepare, "hello"), (train, "hello-elman"), (evaluate, "hello-elman")):
        stage.main(name)
    metrics = json.loads(Path("reports/models/hello-elman/metrics.json").read_text())
    assert (metrics["images"], metrics["provenance"]) == (1000, "drawn")
    assert "bits_per_character" not in metrics
    assert metrics["accuracy"] > 0.5


def test_keys_of_images_do_not_fit_a_text(params: Any) -> None:
    entry = {"kind": "catalog", "path": "data/catalog/shakespeare.yaml", "source": "stand-in"}
    params(entry | {"prepare": {"size": 28, "channels": 1, "validation": 0.1, "test": 0.1}}, dataset="mnist",
           inputs="prepared/mnist", steps=0)  # fmt: skip
    download.main("hello")
    with pytest.raises(
        UserError, match=r"datasets\.hello\.prepare does not fit the data, .*text; .*: validation, test"
    ):
        prepare.main("hello")
