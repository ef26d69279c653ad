"""`vision experiment`, as a person runs it, beside a workspace that stays as it is."""

import csv
import sqlite3
from pathlib import Path

import pytest
from clones import Clone, make_clone

TINY = """\
about: A tiny comparison
base: mnist-mlp
set: {train.epochs: 2, hidden: [8]}
params: {policies: {turned: {dataset: mnist, hflip: 0.0, alternate_hflip: false, vflip: 0.0, rot90: 1.0,
  rotate: {probability: 0.0, degrees: [0.0, 0.0]}, scale: {probability: 0.0, factor: [1.0, 1.0]},
  translate: {probability: 0.0, right: [0, 0], up: [0, 0], whole_pixels: true},
  noise: {probability: 0.0, std: [0.0, 0.0]},
  style: {probability: 0.0, strength: [0.5, 1.0], backbone: none, pictures: data/catalog/styles.yaml},
  fill: zeros, views: 0}}}
vary:
  turns: {none: {}, right: {augmentation: turned}}
seeds: [0, 1]
figure: {x: turns, y: [accuracy, first_layer_gradient]}
"""

VISION = ("python", "-m", "vision_pipeline.cli.main")


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone whose experiment `tiny` has been run."""
    clone = make_clone(tmp_path_factory.mktemp("experiment"))
    (clone.root / "experiments/tiny.yaml").write_text(TINY)
    clone.commit("An experiment")
    clone.run(*VISION, "experiment", "tiny")
    return clone


def runs(root: Path) -> list[str]:
    with sqlite3.connect(root / "mlflow.db") as database:
        return [name for (name,) in database.execute("SELECT name FROM runs WHERE status = 'FINISHED'")]


@pytest.mark.slow
def test_it_ends_in_one_table_and_one_figure_and_changes_nothing_else(clone):
    folder = clone.root / "reports/experiments/tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "table.csv", "table.md"]
    with (folder / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["turns"], row["hidden_layers"]) for row in rows] == [("none", "1"), ("right", "1")]
    assert {row["data"] for row in rows} == {"stand-in"}
    for row in rows:
        low, high = (float(row[f"accuracy_{end}"] or row["accuracy"]) for end in ("low", "high"))  # seeds may agree
        assert low <= float(row["accuracy"]) <= high
        assert float(row["first_layer_gradient"]) > 0
    changed = clone.run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
    assert changed == [f"?? reports/experiments/tiny/{name}" for name in ("figure.png", "table.csv", "table.md")]


@pytest.mark.slow
def test_each_model_and_seed_is_a_run_and_none_is_computed_twice(clone):
    names = sorted(2 * ["tiny-none", "tiny-right"])
    assert sorted(runs(clone.root)) == names
    before = {path.name: path.read_bytes() for path in (clone.root / "reports/experiments/tiny").iterdir()}
    output = clone.run(*VISION, "experiment", "tiny")
    assert "[4/4]" in output
    assert sorted(runs(clone.root)) == names
    assert before == {path.name: path.read_bytes() for path in (clone.root / "reports/experiments/tiny").iterdir()}
