"""docs/systems.md names tests, files and steps that are there."""

import ast
import re
from pathlib import Path

from vision_pipeline.cli.tour.command import load_steps


def table(repository: Path) -> str:
    return (repository / "docs/systems.md").read_text()


def test_every_test_that_it_names_is_there(repository: Path) -> None:
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", table(repository)))
    assert len(named) > 60
    for file, test in named:
        tree = ast.parse((repository / "tests" / file).read_text())
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{test}"


def test_every_file_and_step_that_it_names_is_there(repository: Path) -> None:
    text = table(repository)
    for path in re.findall(r"`((?:stages|vision_pipeline|benchmarks|data)/(?!test_)[\w/.]+)`", text):
        assert (repository / path).exists(), path
    assert set(re.findall(r"`vision tour ([a-z-]+)`", text)) <= load_steps().keys()


def test_it_has_every_row_once(repository: Path) -> None:
    counts = {"A": 12, "B": 8, "C": 7, "D": 11, "E": 12, "F": 10, "G": 12, "H": 6, "I": 9}
    rows = re.findall(r"^\| ([A-I]\d+) \|", table(repository), re.MULTILINE)
    assert rows == [f"{letter}{number}" for letter, count in counts.items() for number in range(1, count + 1)]
