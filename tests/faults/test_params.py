"""500 damaged copies of params.yaml: each is valid, or refused with the key or the place; none crashes or runs code."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzzed_params import fuzzed
from ruamel.yaml import YAML

HERE = Path(__file__).parent
# where in the file, or what of the whole of it
_PLACE = re.compile(r"line \d+|position \d+|at byte \d+|nested too deeply|with its aliases it has [\d,]+ values")


def answers(folder: Path, numbers: range, repository: Path) -> list[dict[str, Any]]:
    """What becomes of the copies of those numbers, read in a process that may use so much time and memory."""
    text = (repository / "params.yaml").read_text()
    for number in numbers:
        (folder / f"{number:03}.yaml").write_bytes(fuzzed(text, number))
    command = [sys.executable, "-W", "ignore", str(HERE / "read_params.py"), str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(repository)})
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ended after {read[-1:]}: {done.stderr[-2000:]}"
    return read


@pytest.mark.parametrize("numbers", [range(60), pytest.param(range(60, 500), marks=pytest.mark.slow)], ids=str)
def test_damaged_params_are_valid_or_refused_with_a_key_or_a_place(
    numbers: range, tmp_path: Path, repository: Path
) -> None:
    read = answers(tmp_path, numbers, repository)
    sections = YAML(typ="safe").load(repository / "params.yaml")
    assert [one["file"] for one in read] == [f"{number:03}.yaml" for number in numbers]
    assert [one for one in read if "crashed" in one] == []
    for refusal in (one["refused"] for one in read if "refused" in one):
        assert _PLACE.search(refusal), refusal
        assert "\n" not in refusal
    for line in (line for one in read if "problems" in one for line in one["problems"]):
        key = re.match(r"the file|[^\s:]+", line)
        assert key and (key[0] == "the file" or key[0].split(".")[0] in sections or "unknown key" in line), line
        assert "\n" not in line and len(line) < 700
    assert {"values", "refused", "problems"} <= {kind for one in read for kind in one}
    assert not (tmp_path / "ran").exists()


def test_the_copies_are_the_same_every_time(repository: Path) -> None:
    text = (repository / "params.yaml").read_text()
    assert [fuzzed(text, number) for number in range(5)] == [fuzzed(text, number) for number in range(5)]
    assert len({fuzzed(text, number) for number in range(50)}) > 45


@pytest.mark.parametrize("first", ["{a: 1, b: 2}", "[1, 2]"])
def test_merges_and_aliases_that_grow_exponentially_are_refused_unmade(
    first: str, tmp_path: Path, repository: Path
) -> None:
    """Eight lines of merges took minutes and gigabytes, each level ten times as much."""
    form = "{{<<: [{}]}}" if first.startswith("{") else "[{}]"
    lines = [f"b{n}: &b{n} {form.format(', '.join([f'*b{n - 1}'] * 10))}" for n in range(1, 20)]
    (tmp_path / "bomb.yaml").write_text("\n".join([f"b0: &b0 {first}", *lines]))
    (read,) = answers(tmp_path, range(0), repository)
    assert "with its aliases it has" in read["refused"]
