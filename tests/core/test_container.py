"""The container gets every file of the repository, and nothing that a run here has made."""

import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest


def left_out(file: str, patterns: list[str]) -> bool:
    """As .dockerignore has it: a pattern stands for what lies below, too; the last that fits decides."""
    parts = Path(file).parts
    places = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
    left = False
    for pattern in patterns:
        if any(fnmatch(place, pattern.removeprefix("!").removeprefix("**/")) for place in places):
            left = not pattern.startswith("!")
    return left


@pytest.fixture(scope="module")
def patterns(repository: Path) -> list[str]:
    return (repository / ".dockerignore").read_text().split()


def test_every_file_of_git_is_in_the_container(repository: Path, patterns: list[str]) -> None:
    files = subprocess.run(["git", "ls-files"], cwd=repository, check=True, capture_output=True, text=True).stdout
    assert "data/weights/none/backbone.json" in files
    assert [file for file in files.splitlines() if left_out(file, patterns)] == []


@pytest.mark.parametrize(
    "file",
    [
        "data/weights/efficientnet_lite0/weights.safetensors", "data/synthetic/mnist-gan/grade.json",
        "data/augmented/mnist-shift/policy.json", "data/raw/mnist/provenance.json", "models/mnist-mlp/checkpoint.pth",
        ".ckpt/0123456789abcdef/newest.pt", ".cache/durations.json", "mlflow.db", "optuna.db", ".venv/bin/python",
        ".dvc/config.local", ".hypothesis/a", ".ruff_cache/a",
    ],
)  # fmt: skip
def test_what_a_run_made_stays_outside(file: str, patterns: list[str]) -> None:
    assert left_out(file, patterns)
