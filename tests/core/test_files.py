import errno
import json
import os

import numpy as np
import pandas as pd
import pytest
import torch

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import (
    atomic_dir,
    format_os_error,
    read_json,
    sha256_file,
    write_csv,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "report.json"
    write_json(path, {"accuracy": 0.5})
    with pytest.raises(ValueError, match="nan"):
        write_json(path, {"accuracy": float("nan")})
    assert json.loads(path.read_text()) == {"accuracy": 0.5}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a-folder", "a-file/x.png", "x" * 300 + ".png"])
def test_a_name_that_cannot_be_a_files_is_told(name, tmp_path):
    (tmp_path / "a-folder" / "full").mkdir(parents=True)
    (tmp_path / "a-file").touch()
    with pytest.raises(OSError) as raised:
        write_text(tmp_path / name, "text")
    assert str(format_os_error(raised.value)).endswith("; name another file")


def test_what_this_user_may_not_read_is_named_with_its_owner(tmp_path, monkeypatch):
    file = tmp_path / "cat" / "1.png"
    file.parent.mkdir()
    file.touch(0o600)
    error = PermissionError(errno.EACCES, "Permission denied", str(file))
    closed = {str(file): os.R_OK}
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & closed.get(str(path), 0))
    assert format_os_error(error).startswith(f"{file}: user ")
    assert f" may not read it, because it belongs to {file.owner()} (mode 600); `sudo chmod" in format_os_error(error)
    closed = {str(file.parent): os.X_OK}
    assert format_os_error(error).startswith(f"{file.parent}: user ")
    closed = {}
    assert "make room or let it be written" in format_os_error(error)


@pytest.mark.parametrize("value", [torch.tensor(0.5), np.float32(0.5)])
def test_reports_hold_plain_numbers_and_no_tensors(tmp_path, value):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "report.json", {"accuracy": value})
    write_json(tmp_path / "report.json", {"accuracy": value.item()})
    assert read_json(tmp_path / "report.json") == {"accuracy": 0.5}


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "out"
    with atomic_dir(folder) as partial:
        write_text(partial / "a", "1")
    with pytest.raises(RuntimeError), atomic_dir(folder) as partial:
        write_text(partial / "b", "2")
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "a"]
    with atomic_dir(folder) as partial:
        write_text(partial / "c", "3")
    assert [path.name for path in folder.iterdir()] == ["c"]


def test_what_a_killed_run_left_behind_is_removed(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "old").touch()
    with atomic_dir(tmp_path / "out") as partial:
        assert list(partial.iterdir()) == []


def test_reading_names_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json is missing"):
        read_json(tmp_path / "gone.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json is not valid JSON"):
        read_json(tmp_path / "bad.json")


def test_sha256(tmp_path):
    (tmp_path / "abc").write_text("abc")
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_name_with_a_carriage_return_stays_one_row_of_a_table(tmp_path):
    names = ["a\rb.png", "c\nd.png", 'e"f.png', "g\r\nh.png", "i\u2028j.png"]
    write_csv(tmp_path / "rows.csv", ["name"], [[name] for name in names])
    found = pd.read_csv(tmp_path / "rows.csv", dtype=str, keep_default_na=False)["name"].tolist()
    assert found == ["a\ufffdb.png", "c\nd.png", 'e"f.png', "g\ufffd\nh.png", "i\u2028j.png"]
