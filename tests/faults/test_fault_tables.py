"""docs/faults.md and docs/threats.md name tests that are there; docs/dependencies.md lists what is locked."""

import ast
import re
from pathlib import Path

import pytest


def _named(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r"`([\w/]+\.py)::(\w+)`", text))


@pytest.mark.parametrize(("table", "least"), [("faults.md", 35), ("threats.md", 25)])
def test_every_test_that_a_table_names_is_there(table: str, least: int, repository: Path) -> None:
    named = _named((repository / "docs" / table).read_text())
    assert len(named) >= least
    for file, test in named:
        tree = ast.parse((repository / "tests" / file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_every_test_of_a_fault_stands_in_the_table(repository: Path) -> None:
    named = _named((repository / "docs/faults.md").read_text())
    for file in ("faults/test_disks.py", "faults/test_damaged_files.py", "pipeline/test_killed_anywhere.py"):
        tree = ast.parse((repository / "tests" / file).read_text())
        tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
        assert tests == {test for path, test in named if path == file}


def test_a_threat_is_stopped_by_a_test_or_said_not_to_be(repository: Path) -> None:
    rows = [line for line in (repository / "docs/threats.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if not _named(row) and "**not stopped**" not in row] == []


def test_every_locked_package_is_listed_with_its_version(repository: Path) -> None:
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in (repository / "requirements.lock").open())
    locked = {tuple(line.split("==")) for line in lines if line}
    table = (repository / "docs/dependencies.md").read_text()
    _, *listed = re.findall(r"^\| ([\w.\[\]-]+) \| ([\w.+]+) \| [^|]+ \|$", table, re.MULTILINE)
    assert set(listed) == locked and len(listed) == len(locked)
