"""The checkpoint: one file, rebuilt without params.yaml; what does not fit is refused and changes nothing."""

import hashlib
import os
import pickle
import subprocess
import sys
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.models.build import build_model
from vision_pipeline.models.checkpoint import (
    Checkpoint,
    build_from_checkpoint,
    build_pixel_model,
    load_checkpoint,
    save_checkpoint,
)
from vision_pipeline.models.loading import load_weights

SETTINGS = {"hidden": [512, 256, 128], "activation": "relu", "dropout": 0.3, "batch_norm": False}
SMALL = {"hidden": [6], "activation": "tanh", "dropout": 0.25, "batch_norm": True}


def checkpoint(options: dict[str, Any], shape: list[int], architecture: str = "mlp") -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        name="tried",
        architecture=architecture,
        settings=options,
        input_shape=shape,
        class_names=[str(digit) for digit in range(10)],
        normalize={"mean": [0.5] * shape[-1], "std": [0.25] * shape[-1]},
        backbone=None,
        state_dict=build_model(architecture, options, shape, 10).state_dict(),
        provenance={"name": "mnist", "status": "stand-in"},
        training={"key": "abc", "seed": 0, "params": {"train": {"lr": 0.1}}},
        versions={"torch": "2"},
        metrics={"val_accuracy": 0.5},
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "checkpoint.pth", checkpoint(SMALL, [4, 4, 1]))
    return tmp_path / "checkpoint.pth"


def test_a_round_trip_keeps_everything(tmp_path: Path) -> None:
    written = checkpoint(SETTINGS, [28, 28, 1])
    save_checkpoint(tmp_path / "c.pth", written)
    read = load_checkpoint(tmp_path / "c.pth")
    assert replace(read, state_dict={}) == replace(written, state_dict={})
    assert list(read.state_dict) == list(written.state_dict)
    assert all(torch.equal(read.state_dict[name], tensor) for name, tensor in written.state_dict.items())
    parameters = 4 * 567_434  # bytes
    assert parameters < (tmp_path / "c.pth").stat().st_size < parameters + (64 << 10)
    network = build_from_checkpoint(read)
    assert not network.training
    assert network.dropout.p == 0.3


def test_the_bytes_follow_from_the_content_alone(tmp_path: Path) -> None:
    written = checkpoint(SMALL, [4, 4, 1])
    same = replace(written, name="".join(["tri", "ed"]), settings={**SMALL, "activation": "".join(["ta", "nh"])})
    torch.manual_seed(99)
    save_checkpoint(tmp_path / "here" / "a.pth", written)
    save_checkpoint(tmp_path / "there" / "b.pth", same)
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.rglob("*.pth")}
    assert len(digests) == 1


def test_a_slice_is_written_without_the_rest_of_its_storage(tmp_path: Path) -> None:
    written = checkpoint(SMALL, [4, 4, 1])
    slices = {name: torch.stack([tensor] * 1000)[7] for name, tensor in written.state_dict.items()}
    save_checkpoint(tmp_path / "a.pth", written)
    save_checkpoint(tmp_path / "b.pth", replace(written, state_dict=slices))
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_a_fresh_process_rebuilds_it_without_params(tmp_path: Path, repository: Path) -> None:
    save_checkpoint(tmp_path / "c.pth", checkpoint(SETTINGS, [28, 28, 1]))
    pixels = torch.randint(0, 256, (5, 28, 28, 1), dtype=torch.uint8)
    torch.save(pixels, tmp_path / "pixels.pt")
    program = (
        "import torch; from pathlib import Path\n"
        "from vision_pipeline.models.checkpoint import load_checkpoint, build_pixel_model\n"
        "torch.set_num_threads(1)\n"
        "with torch.inference_mode():\n"
        "    network = build_pixel_model(load_checkpoint(Path('c.pth')))\n"
        "    torch.save((network(torch.load('pixels.pt')), network.network.dropout.p), 'logits.pt')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    logits, dropout = torch.load(tmp_path / "logits.pt")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        here = build_pixel_model(load_checkpoint(tmp_path / "c.pth"))(pixels)
    torch.set_num_threads(threads)
    assert torch.equal(logits, here)
    assert dropout == 0.3


@pytest.mark.parametrize(
    ("architecture", "options", "shape"),
    [
        ("mlp", SETTINGS, [28, 28, 1]),
        ("cnn", SMALL | {"channels": [4, 8], "kernel": 3, "padding": 1, "dropout": 0.4}, [8, 8, 3]),
        ("speednet", {"widths": [4, 8], "convolutions": 2, "activation": "gelu"}, [16, 16, 3]),
        ("transfer", {"hidden": [8], "activation": "relu", "dropout": 0.2}, [32]),
    ],
)
def test_every_architecture_is_rebuilt_with_its_scores_and_its_dropout(
    tmp_path: Path, architecture: str, options: dict[str, Any], shape: list[int]
) -> None:
    written = checkpoint(options, shape, architecture)
    save_checkpoint(tmp_path / "c.pth", written)
    torch.manual_seed(9)
    first, again = build_from_checkpoint(written), build_from_checkpoint(load_checkpoint(tmp_path / "c.pth"))
    inputs = torch.randn(4, *(shape[2], *shape[:2]) if len(shape) == 3 else shape)
    assert torch.equal(first(inputs), again(inputs))
    assert not any(module.training for module in again.modules())
    assert [m.p for m in again.modules() if isinstance(m, nn.Dropout)] == (
        [options["dropout"]] if "dropout" in options else []
    )


def test_pixels_are_normalised_inside() -> None:
    held = checkpoint(SMALL, [4, 4, 1])
    pixels = torch.randint(0, 256, (3, 4, 4, 1), dtype=torch.uint8)
    unit = pixels.permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(build_pixel_model(held)(pixels), build_from_checkpoint(held)((unit - 0.5) / 0.25))


def test_rebuilding_draws_nothing_from_the_global_generator() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    held = checkpoint(SMALL, [4, 4, 1])
    torch.manual_seed(5)
    build_from_checkpoint(held)
    assert torch.equal(torch.rand(1), expected)


def test_a_mismatch_names_layer_and_shapes_and_changes_nothing() -> None:
    written = build_model("mlp", SETTINGS, [28, 28, 1], 10)
    other = build_model("mlp", {**SETTINGS, "hidden": [400, 200, 100]}, [28, 28, 1], 10)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(
        ArtifactError, match=r"^hidden_layers\.0\.weight: the checkpoint has \[512, 784\], the model \[400"
    ):
        load_weights(other, written.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())


def test_tensors_that_are_missing_or_too_many_are_named() -> None:
    network = build_model("mlp", SMALL, [4, 4, 1], 10)
    weights = network.state_dict()
    moved = {("outputs" if name == "output.bias" else name): tensor for name, tensor in weights.items()}
    with pytest.raises(ArtifactError, match=r"output\.bias: missing in the checkpoint; outputs: the model has no such"):
        load_weights(network, moved)
    halved = {**weights, "output.bias": weights["output.bias"].half()}
    with pytest.raises(
        ArtifactError, match=r"output\.bias: the checkpoint has torch\.float16, the model torch\.float32"
    ):
        load_weights(network, halved)


@pytest.mark.parametrize("key", [field.name for field in fields(Checkpoint)])
def test_a_missing_key_is_named(saved: Path, key: str) -> None:
    content = torch.load(saved, weights_only=True)
    del content[key]
    torch.save(content, saved)
    with pytest.raises(ArtifactError, match=rf"checkpoint\.pth lacks {key};"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": "cat"}, "class_names is not as"),
        ({"input_shape": [28.5, 28, 1]}, r"input_shape\.0 is not as"),
        ({"state_dict": {"output.weight": [1.0]}}, r"state_dict\.output\.weight is not as"),
        ({"format": 99}, "not a checkpoint of this project"),
    ],
)
def test_wrong_types_are_named(saved: Path, changes: dict[str, Any], message: str) -> None:
    torch.save({**torch.load(saved, weights_only=True), **changes}, saved)
    with pytest.raises(ArtifactError, match=message):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "os"},
        {"settings": {}},
        {"settings": {**SMALL, "hidden": ["wide"]}},
        {"settings": {**SMALL, "hidden": [1 << 40]}},  # 64 TiB: must not be tried
        {"settings": {**SMALL, "hidden": [1 << 62]}},
        {"settings": {**SMALL, "hidden": [-1]}},
        {"settings": {**SMALL, "activation": "none"}},
        {"settings": {**SMALL, "dropout": 7.0}},
        {"input_shape": []},
        {"backbone": {"name": "densenet121"}},
        {"backbone": {"name": "x", "mean": [0.0], "std": [1.0]}},
    ],
)
def test_settings_that_are_a_lie_are_refused(saved: Path, changes: dict[str, Any]) -> None:
    torch.save({**torch.load(saved, weights_only=True), **changes}, saved)
    with pytest.raises(ArtifactError):
        build_from_checkpoint(load_checkpoint(saved))


def test_a_head_alone_takes_no_pixels() -> None:
    head = {"hidden": [4], "activation": "relu", "dropout": 0.0}
    held = checkpoint(head, [8], architecture="transfer")
    assert build_from_checkpoint(held)(torch.zeros(2, 8)).shape == (2, 10)
    with pytest.raises(ArtifactError, match=r"takes features, not pixels; exports/tried/checkpoint\.pth"):
        build_pixel_model(held)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pth"
    with pytest.raises(ArtifactError, match=r"c\.pth cannot be read: No such file"):
        load_checkpoint(path)
    for content in (b"", b"PK", b"hello", pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="damaged or no checkpoint"):
            load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(ArtifactError, match="holds a list"):
        load_checkpoint(path)


class _Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("ran",))


def test_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "state_dict": _Runs()}, "c.pth")
    with pytest.raises(ArtifactError, match="it may run code"):
        load_checkpoint(Path("c.pth"))
    assert not Path("ran").exists()


def test_a_compressed_file_is_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    with pytest.raises(ArtifactError, match="is compressed"):
        load_checkpoint(saved)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_or_a_cut_is_refused_or_changes_nothing(saved: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()
    before = load_checkpoint(saved)
    position = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[position] ^= 1 << data.draw(st.integers(0, 7))
    damaged = saved.with_name("damaged.pth")
    damaged.write_bytes(bytes(broken) if data.draw(st.booleans()) else whole[:position])
    try:
        after = load_checkpoint(damaged)
    except ArtifactError:
        return
    assert replace(after, state_dict={}) == replace(before, state_dict={})
    assert all(torch.equal(after.state_dict[name], tensor) for name, tensor in before.state_dict.items())
