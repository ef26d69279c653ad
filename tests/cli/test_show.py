"""`vision show`: what each experiment changed and what came of it, read from git alone."""

import json
from pathlib import Path

import pytest
from tiny_project import git

from vision_pipeline.cli.show import ExperimentRow, make_rows, show
from vision_pipeline.vcs.experiments import CommitState

OLD = {"key": "0", "accuracy": 0.9, "val_accuracy": 0.91}
MODEL = {"hidden": [8], "train": {"lr": 0.1, "epochs": 5}}
BEFORE = CommitState({"seed": 0, "datasets": {}, "models": {"a": MODEL, "b": MODEL}}, {"a": OLD, "b": OLD})


def after(model: dict, report: dict, **params: object) -> CommitState:
    models = {"models": {"a": MODEL | model, "b": MODEL}}
    return CommitState({**BEFORE.params, **params, **models}, {"a": OLD | report, "b": OLD})


def test_a_model_that_was_trained_anew_tells_what_changed_and_by_how_much() -> None:
    now = after({"train": {"lr": 0.3, "epochs": 5}}, {"key": "1", "accuracy": 0.925})
    assert make_rows("quick", now, BEFORE) == [ExperimentRow("quick", "a", "92.50%", "91.00%", "+2.50", "train.lr=0.3")]


def test_what_concerns_all_models_comes_first_and_whole_sections_as_one() -> None:
    now = after({"hidden": [16]}, {"key": "1"}, seed=1, datasets={"copy-5": {"kind": "copy", "source": "auto"}})
    assert make_rows("big", now, BEFORE)[0].changed == "seed=1, datasets.copy-5 is new, hidden=[16]"


def test_of_many_changes_the_first_are_told() -> None:
    now = after({"hidden": [1], "x": 1, "y": 2, "z": 3}, {"key": "1"})
    assert make_rows("many", now, BEFORE)[0].changed == "hidden=[1], x=1, y=2 and 1 more"


def test_a_new_model_and_one_that_was_not_tested() -> None:
    now = CommitState({"models": {"c": MODEL}}, {"c": {"key": "2", "val_accuracy": 0.5}})
    assert make_rows("new", now, BEFORE) == [
        ExperimentRow("new", "c", "", "50.00%", "", "without seed, without datasets, a new model")
    ]


def test_an_experiment_that_trained_nothing_is_shown() -> None:
    assert make_rows("idle", after({}, {}, seed=1), BEFORE) == [
        ExperimentRow("idle", "no model trained", "", "", "", "seed=1")
    ]


def commit(rate: float, key: str, accuracy: float) -> str:
    Path("params.yaml").write_text(f"models: {{a: {{train: {{lr: {rate}}}}}, b: {{}}}}\n")
    folder = Path("reports/models/a")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.json").write_text(json.dumps({"key": key, "val_accuracy": accuracy}))
    (folder / "metrics.json").write_text(json.dumps({"accuracy": accuracy}))
    git("add", "-A")
    git("commit", "-qm", "One")
    return git("rev-parse", "HEAD")


@pytest.mark.parametrize("project", [".", "projects/vision"])
def test_the_table_of_this_commits_experiments(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / project).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / project)
    git("init", "-q", str(tmp_path))
    base = commit(0.1, "0", 0.9)
    changed = commit(0.3, "1", 0.95)
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/brave-cat", changed)
    show(everywhere=False)
    assert "no experiment began from this commit" in capsys.readouterr().out
    git("checkout", "-q", base)
    show(everywhere=False)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["Experiment", "Model", "Test", "Validation", "Points", "Changed"]
    assert row.split() == ["brave-cat", "a", "95.00%", "95.00%", "+5.00", "train.lr=0.3"]
