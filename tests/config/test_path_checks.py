"""Paths in params.yaml: how they are written, where they lie, and whether something is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from vision_pipeline.config.data_validation import check_path_exists
from vision_pipeline.config.load import list_validation_errors, raise_if_unusable
from vision_pipeline.core.errors import UserError

Write = Callable[[str, str], Any]


@pytest.fixture
def write(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write params.yaml, in a working folder of its own, with MNIST as the user's own images or text from a path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/anna")

    def change(kind: str, path: str) -> Any:
        params = YAML(typ="safe", pure=True).load(repository / "params.yaml")
        if kind == "pictures":
            params["policies"]["mnist-shift"]["style"]["pictures"] = path
        else:
            params["datasets"]["mnist"] |= {"kind": kind, "path": path}
        if kind == "text":
            params["datasets"]["mnist"]["prepare"] = {"validation": 0.1, "test": 0.1}
            for section in ("policies", "models"):
                params[section] = {key: one for key, one in params[section].items() if one["dataset"] != "mnist"}
            params["evaluate"]["tta"] = {}
        YAML(typ="safe", pure=True).dump(params, tmp_path / "params.yaml")
        return params

    return change


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("s3://bucket/x", "an address; allowed: a path on this machine"),
        ("gs://bucket/x", "an address; allowed: a path on this machine"),
        ("https://example.org/images", "an address; allowed: a path on this machine"),
        ("file:///images", "an address; allowed: a path on this machine"),
        ("~/photos", "write it in full, such as '/home/anna/photos'"),
        ("$HOME/photos", "write it in full, such as '/home/anna/photos'"),
        ("~bob/photos", "write it in full, such as '/home/me/my_images'"),
        ("data/raw/mnist", "where the pipeline deletes and writes"),
        ("./data/../data/prepared/mnist", "where the pipeline deletes and writes"),
        ("data", "where the pipeline deletes and writes"),
        (".", "where the pipeline deletes and writes"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "key"), [("folder", "datasets.mnist.path"), ("pictures", "policies.mnist-shift.style.")]
)
def test_a_path_that_cannot_be_one_is_named_by_its_key(
    write: Write, kind: str, key: str, path: str, allowed: str
) -> None:
    write(kind, path)
    (line,) = list_validation_errors()
    assert line.startswith(key)
    assert repr(path) in line and allowed in line


def test_a_full_path_into_the_raw_data_is_named(write: Write, tmp_path: Path) -> None:
    write("folder", f"{tmp_path}/data/raw/mnist")
    assert "where the pipeline deletes and writes" in list_validation_errors()[0]


@pytest.mark.parametrize("path", ["my_images", "/data/raw/x", "data/rawer", "data/catalog/x", "s3", "a~b", "a:b"])
def test_other_paths_are_right(write: Write, path: str) -> None:
    write("folder", path)
    assert list_validation_errors() == []


def test_a_text_may_come_from_a_web_address_alone(write: Write) -> None:
    write("text", "https://example.org/a.txt")
    assert list_validation_errors() == []
    assert check_path_exists("key", "https://example.org/a.txt", "text") is None
    write("text", "s3://bucket/a.txt")
    assert "allowed: a file of yours, or an http(s) address" in list_validation_errors()[0]


def test_what_is_not_there_or_of_another_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_images").mkdir()
    (tmp_path / "images.zip").touch()
    assert check_path_exists("key", "my_images", "folder") is None
    assert check_path_exists("key", "my_image", "folder") == (
        "key is 'my_image', which does not exist; did you mean 'my_images'?"
    )
    assert check_path_exists("key", "/no/such", "folder") == (
        "key is '/no/such', which does not exist; a path counts from the repository's root"
    )
    assert "'images.zip', a file; allowed: a folder" in str(check_path_exists("key", "images.zip", "folder"))
    assert "'my_images', a folder; allowed: a file" in str(check_path_exists("key", "my_images", "text"))
    assert (
        check_path_exists("key", "my_images", "pictures") is check_path_exists("key", "images.zip", "pictures") is None
    )


def test_every_path_that_is_not_there_is_refused_by_its_key(write: Write) -> None:
    content = write("folder", "gone")
    assert list_validation_errors() == []
    with pytest.raises(
        UserError, match=r"datasets\.mnist\.path is 'gone', which does not exist(.|\n)*style\.pictures is "
    ):
        raise_if_unusable(content)


def test_in_an_experiments_copy_the_reason_is_that_nothing_tracks_it(tmp_path, monkeypatch) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    said = check_path_exists("datasets.d.path", "mine", "folder")
    assert said is not None and f"is in {tmp_path} but not in the copy that this experiment runs in" in said
    assert "which does not exist" in str(check_path_exists("datasets.d.path", "nowhere", "folder"))
