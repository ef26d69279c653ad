"""Recurrent models in every format: tokens to logits from the zero state, for texts of any length."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_text import text_checkpoint

from vision_pipeline.export.formats import read_onnx, read_pt2, write_formats
from vision_pipeline.export.model_card import render_model_card
from vision_pipeline.export.parity import check_parity
from vision_pipeline.models.checkpoint import Checkpoint, build_with_preprocessing, load_checkpoint, save_checkpoint
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")
MANY_NAMES = [chr(0x4E00 + number) for number in range(300)]


def make_metadata(checkpoint: Checkpoint) -> dict[str, Any]:
    return {field: value for field, value in vars(checkpoint).items() if field != "state_dict"}


def write_and_get_loaders(checkpoint: Checkpoint, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    write_formats(folder, build_with_preprocessing(checkpoint), checkpoint.state_dict, make_metadata(checkpoint))
    return {
        "model.onnx": lambda: read_onnx(folder / "model.onnx", 1),
        "model.pt2": lambda: read_pt2(folder / "model.pt2", torch.device("cpu")),
    }


@pytest.mark.parametrize("cell", ["elman", "lstm", "gru", "none"])
def test_a_text_of_any_length_gives_the_models_logits(cell: str, tmp_path: Path) -> None:
    checkpoint = text_checkpoint(cell)
    for load in write_and_get_loaders(checkpoint, tmp_path).values():
        network = load()
        for shape in ((1, 1), (2, 8), (5, 67)):
            symbols = torch.randint(6, shape, dtype=torch.uint8)
            with torch.inference_mode():
                logits, expected = network(symbols), build_with_preprocessing(checkpoint)(symbols)
            assert logits.shape == (*shape, 6)
            torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("shape", "names"), [([], None), ([], MANY_NAMES), ([12], None), ([12], MANY_NAMES)])
def test_parity_over_a_whole_test_set(shape: list[int], names: list[str] | None, tmp_path: Path) -> None:
    checkpoint = text_checkpoint("lstm", shape, names)
    classes = len(checkpoint.class_names)
    symbols = np.random.default_rng(0).integers(0, classes, (2500, *shape))
    stored = symbols.astype(np.uint8 if classes < 256 else np.uint16)
    targets = np.random.default_rng(1).integers(0, classes, 2500)
    formats = write_and_get_loaders(checkpoint, tmp_path)
    network = build_with_preprocessing(checkpoint)
    report = check_parity(network, formats, stored, targets, runtime=CPU, max_logit_gap=1e-4)
    assert report["images"] == 2500
    assert {comparison["other_predictions"] for comparison in report["formats"].values()} == {0}


SCRIPT = """
import sys
sys.path[:0] = [sys.argv[1] + "/tests", sys.argv[1]]
from pathlib import Path
from test_formats_tokens import write_and_get_loaders
from tiny_text import text_checkpoint
write_and_get_loaders(text_checkpoint("gru"), Path("."))
"""


def test_the_bytes_depend_on_the_model_alone(tmp_path: Path, repository: Path) -> None:
    python_path = os.pathsep.join([str(repository / "tests" / "export"), str(repository)])
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        command = [sys.executable, "-c", SCRIPT, str(repository)]
        subprocess.run(command, cwd=tmp_path / folder, env=os.environ | {"PYTHONPATH": python_path}, check=True)
    for file in ("model.onnx", "model.pt2", "model.safetensors"):
        content = (tmp_path / "first" / file).read_bytes()
        assert content == (tmp_path / "second" / file).read_bytes()
        assert b"recurrent.py" not in content
        assert b"stack_trace" not in content


def test_a_checkpoint_keeps_the_vocabulary(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pth", text_checkpoint())
    loaded = load_checkpoint(tmp_path / "c.pth")
    assert loaded.class_names == ["\n", " ", "e", "h", "l", "o"]
    assert loaded.input_shape == []


@pytest.mark.parametrize(
    ("shape", "lines"),
    [
        ([], ["A model of text: a recurrent network (elman, 7 hidden), 400 parameters, trained on tiny.",
              "In all snippets `symbols` is uint8 of shape (N, T), for any N and T.",
              "| on 900 test symbols | accuracy |"]),
        ([12], ["A classifier of sequences: a recurrent network (elman, 7 hidden), 400 parameters, trained on tiny.",
                "Give it sequences of 12 symbols, each symbol by its number among the 6 below;",
                "In all snippets `symbols` is uint8 of shape (N, 12), for any N.",
                "| on 900 test sequences | accuracy |"]),
    ],
)  # fmt: skip
def test_the_card_says_how_symbols_go_in(shape: list[int], lines: list[str]) -> None:
    metrics = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "images": 900, "loss": 1.0, "ece": 0.1}
    metrics |= {"macro_f1": 0.4, "parameters": 400, "bits_per_character": 1.442695}
    parity = {"images": 900, "max_logit_gap_allowed": 0.001, "reference": {"accuracy": 0.5}, "formats": {}}
    text = render_model_card(make_metadata(replace(text_checkpoint(shape=shape))), metrics, parity, {})
    for line in [*lines, '["\\n", " ", "e", "h", "l", "o"]']:
        assert line in text.splitlines()
    assert "pixel" not in text
    assert "\n\n\n" not in text
