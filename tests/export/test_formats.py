"""The exported files: inputs and outputs, metadata, and bytes that depend on the model alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open
from tiny_model import images, tiny_checkpoint

from vision_pipeline.export.formats import read_onnx, read_pt2, read_safetensors, write_formats
from vision_pipeline.models.checkpoint import build_pixel_model, save_checkpoint

SCRIPT = """
import sys
sys.path[:0] = [sys.argv[1] + "/tests", sys.argv[1]]
from pathlib import Path
from tiny_model import tiny_checkpoint
import vision_pipeline
from vision_pipeline.export.formats import write_formats
from vision_pipeline.models.checkpoint import build_pixel_model, save_checkpoint
assert vision_pipeline.__file__.startswith(sys.argv[1])
checkpoint = tiny_checkpoint("cnn", 3)
metadata = {field: value for field, value in vars(checkpoint).items() if field != "state_dict"}
write_formats(Path(), build_pixel_model(checkpoint), checkpoint.state_dict, metadata)
save_checkpoint(Path("checkpoint.pth"), checkpoint)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkpoint, folder = tiny_checkpoint("cnn", 3), tmp_path_factory.mktemp("formats")
    write_formats(folder, build_pixel_model(checkpoint), checkpoint.state_dict, make_metadata())
    save_checkpoint(folder / "checkpoint.pth", checkpoint)
    return folder


def make_metadata() -> dict[str, Any]:
    return {field: value for field, value in vars(tiny_checkpoint("cnn", 3)).items() if field != "state_dict"}


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("file", ["model.onnx", "model.pt2"])
def test_any_number_of_pixel_images_gives_the_models_logits(folder: Path, file: str, batch: int) -> None:
    network = read_onnx(folder / file, 1) if file == "model.onnx" else read_pt2(folder / file, torch.device("cpu"))
    pixels = torch.from_numpy(images(batch, 3)[0])
    with torch.inference_mode():
        logits, expected = network(pixels), build_pixel_model(tiny_checkpoint("cnn", 3))(pixels)
    assert logits.dtype == torch.float32
    assert logits.shape == (batch, 2)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def test_onnx_names_its_ends_and_carries_its_weights(folder: Path) -> None:
    model = onnx.load(folder / "model.onnx", load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    (pixels,), (logits,) = model.graph.input, model.graph.output
    shapes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in (pixels, logits)
    ]
    assert (pixels.name, logits.name) == ("pixels", "logits")
    assert shapes == [["batch", 8, 8, 3], ["batch", 2]]
    assert pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata.keys() == make_metadata().keys()
    assert (metadata["name"], metadata["class_names"], metadata["normalize"]) == (
        "small",
        '["dark", "light"]',
        '{"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}',
    )
    assert not any(node.metadata_props for node in model.graph.node)


def test_safetensors_holds_the_bare_networks_tensors_and_how_they_are_used(folder: Path) -> None:
    expected, tensors = tiny_checkpoint("cnn", 3).state_dict, read_safetensors(folder / "model.safetensors")
    assert tensors.keys() == expected.keys()
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert json.loads(file.metadata()["about"]) == make_metadata()


def test_bytes_do_not_tell_where_the_code_or_the_files_lay(folder: Path, repository: Path) -> None:
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(repository).encode() not in content
        assert str(folder).encode() not in content
        assert b"preprocessing.py" not in content, f"{path.name} has stack traces"


def test_another_process_in_another_clone_writes_the_same_bytes(folder: Path, tmp_path: Path, repository: Path) -> None:
    clone, out = tmp_path / "another" / "clone", tmp_path / "out"
    shutil.copytree(repository / "vision_pipeline", clone / "vision_pipeline")
    (clone / "tests").mkdir()
    shutil.copy(repository / "tests/tiny_model.py", clone / "tests")
    out.mkdir()
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", SCRIPT, str(clone)], cwd=out, env=environment, check=True)
    first, second = ({path.name: path.read_bytes() for path in parent.iterdir()} for parent in (folder, out))
    assert sorted(second) == ["checkpoint.pth", "model.onnx", "model.pt2", "model.safetensors"]
    assert [name for name in second if first[name] != second[name]] == []


def test_the_example_does_not_freeze_what_depends_on_pixels(folder: Path) -> None:
    """The graph was traced with black images; these are white."""
    white = torch.full((3, 8, 8, 3), 255, dtype=torch.uint8)
    expected = build_pixel_model(tiny_checkpoint("cnn", 3))(white).detach().numpy()
    np.testing.assert_allclose(read_onnx(folder / "model.onnx", 1)(white).numpy(), expected, atol=1e-5)
