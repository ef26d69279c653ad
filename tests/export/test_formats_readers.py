"""Readers of exported files: equal tensors, damaged files, other devices."""

from pathlib import Path

import pytest
import torch
from tiny_model import tiny_checkpoint

from vision_pipeline.core.errors import UserError
from vision_pipeline.export.formats import (
    check_same_tensors,
    export_program,
    read_pt2,
    read_safetensors,
    write_pt2,
    write_safetensors,
)
from vision_pipeline.models.checkpoint import build_pixel_model


def test_one_other_bit_is_named() -> None:
    expected = tiny_checkpoint().state_dict
    name = next(name for name in expected if name.endswith("weight"))
    loaded = {key: tensor.clone() for key, tensor in expected.items()}
    check_same_tensors("file", loaded, expected)
    loaded[name].view(torch.int32).view(-1)[0] ^= 1
    with pytest.raises(UserError, match=rf"^file does not hold the model's tensors: {name} differs$"):
        check_same_tensors("file", loaded, expected)


@pytest.mark.parametrize(("names", "message"), [(["a"], "it lacks b"), (["a", "b", "c"], "it should not have c")])
def test_a_tensor_too_few_or_too_many_is_named(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_same_tensors("file", {name: torch.zeros(1) for name in names}, {"a": torch.zeros(1), "b": torch.zeros(1)})


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_cut_off_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, tiny_checkpoint().state_dict, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read"):
        read_safetensors(path)


def test_pt2_moves_to_another_device(tmp_path: Path) -> None:
    """The graph notes the device that it was traced on; `meta` stands for a GPU."""
    write_pt2(tmp_path / "model.pt2", export_program(build_pixel_model(tiny_checkpoint("cnn", 3)), [8, 8, 3], 2))
    network = read_pt2(tmp_path / "model.pt2", torch.device("meta"))
    logits = network(torch.zeros((3, 8, 8, 3), dtype=torch.uint8, device="meta"))
    assert (logits.device.type, tuple(logits.shape)) == ("meta", (3, 2))
