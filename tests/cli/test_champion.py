"""Which model is a data set's champion, in a registry of its own."""

import hashlib
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import pytest
from made_up_reports import write_reports
from mlflow.exceptions import MlflowException

from vision_pipeline.cli.champion import champion
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking import registry
from vision_pipeline.tracking.search import create_run
from vision_pipeline.tracking.store import open_store

KEYS = {"mnist-mlp": "a" * 16, "mnist-cnn": "b" * 16, "mnist-logistic": "c" * 16}
CLASSES = ("cat", "dog")
FAIR, BETTER, SURE = 1.4, 1.5, 9.0  # how easily a model tells the classes; the first two are not told apart


def export(name: str, key: str = "", classes: tuple[str, ...] = CLASSES, by: str = "classes.json") -> str:
    """A finished run with the test's predictions and an exported model; the run's id."""
    store = open_store()
    run = create_run(store, {"model": name}, {"key": key or KEYS[name]})
    store.client.set_tag(run, "git.commit", "d" * 40)
    store.client.set_terminated(run)
    store.client.log_artifact(run, f"reports/models/{name}/predictions.csv", "test")
    export_again(run, classes, by)
    return run


def export_again(run: str, classes: tuple[str, ...] = CLASSES, by: str = "classes.json") -> None:
    """Log a model whose class names are recorded in the file `by`."""
    store = open_store()
    model = store.client.create_logged_model(store.experiment_id, "any", source_run_id=run)
    with TemporaryDirectory() as folder:
        Path(folder, "MLmodel").touch()
        if by == "classes.json":
            Path(folder, by).write_text(json.dumps(classes))
        if by == "model.onnx":
            graph = onnx.helper.make_model(onnx.helper.make_graph([], "any", [], []))
            graph.metadata_props.add(key="class_names", value=json.dumps(classes))
            onnx.save(graph, Path(folder, by))
        store.client.log_model_artifacts(model.model_id, folder)
    store.client.finalize_logged_model(model.model_id, "READY")


def train(
    name: str, ease: float, *, exported: bool = True, key: str = "", status: str = "official",
    classes: tuple[str, ...] = CLASSES, by: str = "classes.json",
) -> None:  # fmt: skip
    """Write the reports of a model, and log its export."""
    folder = Path("reports/models", name)
    write_reports(folder, ease=ease, status=status, class_names=classes, train={"key": key or KEYS[name]})
    if exported:
        export(name, key, classes, by)


def choose(capsys) -> str:
    """Run the command; return the last line that it prints."""
    champion()
    return capsys.readouterr().out.splitlines()[-1]


def choose_with_warning(capsys, gone: str) -> str:
    """Run the command; check the warning that the champion's files are gone, and return what it prints."""
    champion()
    printed = capsys.readouterr()
    assert f"WARNING: the files of {gone}, which is the champion, are gone, and it cannot be served" in printed.err
    return printed.out


def current_champion() -> str:
    return str(registry.get_champion(open_store(), "mnist"))


def versions() -> list:
    return open_store().client.search_model_versions("name = 'mnist'")


def test_the_first_best_is_champion_and_a_second_run_changes_nothing(workspace, capsys):
    train("mnist-mlp", FAIR)
    train("mnist-cnn", SURE)
    line = choose(capsys)
    assert line.startswith(
        "mnist: mnist-cnn (version 1) becomes the champion, 100.00% (93.98% to 100.00%): there was none"
    )
    (version,) = versions()
    tags = {"model": "mnist-cnn", "provenance": "official", "pipeline.key": KEYS["mnist-cnn"], "git.commit": "d" * 40}
    tags["classes.digest"] = hashlib.sha256(b'["cat", "dog"]').hexdigest()[:16]
    assert version.tags == tags | {"accuracy": "1.000000", "accuracy_low": "0.939828", "accuracy_high": "1.000000"}
    assert version.description == "mnist-cnn, 100.00% (93.98% to 100.00%)"
    assert choose(capsys) == "mnist: mnist-cnn (version 1) is the champion, 100.00% (93.98% to 100.00%)"
    assert len(versions()) == 1


def test_no_other_store_than_the_projects_is_opened(workspace, capsys):
    Path("mlflow.db").rename("other.db")
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        params.replace("tracking_uri: auto", f"tracking_uri: sqlite:///{workspace}/other.db")
    )
    train("mnist-mlp", FAIR)
    assert "mnist-mlp (version 1) becomes the champion" in choose(capsys)
    assert not Path("mlflow.db").exists()


def test_a_space_in_the_path_leaves_no_folder_beside_it(workspace, monkeypatch, capsys):
    root = workspace / "a b"
    root.mkdir()
    for name in ("mlflow.db", "params.yaml"):
        (workspace / name).rename(root / name)
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    train("mnist-mlp", FAIR)
    assert "mnist-mlp (version 1) becomes the champion" in choose(capsys)
    assert not (workspace / "a%20b").exists()


def test_a_model_that_is_told_apart_takes_over(workspace, capsys):
    train("mnist-mlp", FAIR)
    champion()
    train("mnist-cnn", SURE)
    line = choose(capsys)
    assert "mnist: mnist-cnn (version 2) becomes the champion" in line
    assert line.endswith("on the same 60 test items, p = 0.00098, told apart")
    assert current_champion() == "mnist-cnn (version 2)"


@pytest.mark.parametrize(("rule", "winner"), [("true", "mnist-mlp (version 1)"), ("false", "mnist-cnn (version 2)")])
def test_a_better_model_that_is_not_told_apart_takes_over_only_where_the_rule_lets_it(workspace, capsys, rule, winner):
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("told_apart: true", f"told_apart: {rule}"))
    train("mnist-mlp", FAIR)
    champion()
    train("mnist-cnn", BETTER)
    assert choose(capsys).endswith("points (-2.19 to +8.64) on the same 60 test items, p = 0.5, not told apart")
    assert current_champion() == winner
    assert len(versions()) == 2


def test_holms_correction_counts_all_pairs_of_the_data_set(workspace, capsys):
    train("mnist-mlp", FAIR)
    champion()
    train("mnist-cnn", SURE)
    train("mnist-logistic", BETTER, exported=False)
    assert "p = 0.0029, told apart" in choose(capsys)


def test_a_champion_that_was_trained_anew_is_compared_by_what_its_run_kept(workspace, capsys):
    train("mnist-mlp", SURE)
    champion()
    train("mnist-mlp", FAIR, key="f" * 16)
    line = choose(capsys)
    assert "mnist-mlp (version 1) stays the champion; mnist-mlp (version 2): -" in line
    assert line.endswith("told apart")


def test_without_what_it_kept_nothing_is_compared(workspace):
    train("mnist-mlp", FAIR)
    champion()
    shutil.rmtree("mlartifacts")
    train("mnist-mlp", SURE, key="f" * 16)
    with pytest.raises(UserError, match=r"mnist-mlp \(version 1\) cannot be compared: test/predictions.csv of its run"):
        champion()
    assert current_champion() == "mnist-mlp (version 1)"


def test_a_better_champion_whose_run_is_gone_stays(workspace, capsys):
    train("mnist-cnn", SURE)
    champion()
    open_store().client.delete_run(versions()[0].run_id)
    train("mnist-mlp", FAIR)
    line = choose(capsys)
    assert "mnist-cnn (version 1) stays the champion; mnist-mlp (version 2): -" in line
    assert line.endswith("on the same 60 test items, p = 0.00098, told apart")
    assert current_champion() == "mnist-cnn (version 1)"


def test_a_store_that_fails_in_the_middle_is_said_in_one_line(workspace, monkeypatch):
    train("mnist-cnn", SURE)

    def fails(*arguments: object) -> None:
        raise MlflowException("the server was restarted")

    monkeypatch.setattr(registry, "get_champion", fails)
    with pytest.raises(UserError, match=r"the champion of mnist was not chosen: .* failed .the server was restarted"):
        champion()


def test_other_test_items_make_a_new_champion(workspace, capsys):
    train("mnist-mlp", SURE)
    champion()
    train("mnist-mlp", FAIR, exported=False, key="f" * 16)
    path = Path("reports/models/mnist-mlp/predictions.csv")
    path.write_text(path.read_text().replace("59.png", "60.png"))
    export("mnist-mlp", "f" * 16)
    assert "mnist-mlp (version 1) was tested on other items" in choose(capsys)
    assert current_champion() == "mnist-mlp (version 2)"


def test_the_same_training_exported_again_is_a_new_version(workspace, capsys):
    write_reports(Path("reports/models/mnist-mlp"), train={"key": KEYS["mnist-mlp"]})
    run = export("mnist-mlp")
    champion()
    export_again(run)
    assert choose(capsys).endswith("the same training as mnist-mlp (version 1), exported again")
    assert current_champion() == "mnist-mlp (version 2)"


def test_a_model_that_was_not_exported_is_passed_over(workspace, capsys):
    train("mnist-mlp", FAIR)
    train("mnist-cnn", SURE, exported=False)
    champion()
    printed = capsys.readouterr()
    assert "mnist-mlp (version 1) becomes the champion" in printed.out
    assert "mnist-cnn is passed over" in printed.err
    assert "`dvc repro -f -s export@mnist-cnn`" in printed.err


def test_stand_in_data_makes_a_champion_only_when_asked(workspace, capsys):
    train("mnist-mlp", SURE, status="stand-in")
    assert choose(capsys).startswith("mnist: no champion by stand-in data, which mlflow.champion.provenance")
    assert versions() == []
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("own, drawn]", "own, drawn, stand-in]"))
    assert "becomes the champion" in choose(capsys)


def test_a_model_whose_files_are_gone_is_not_crowned(workspace):
    train("mnist-mlp", FAIR)
    shutil.rmtree("mlartifacts/models")
    with pytest.raises(
        UserError, match=r"files of mnist-mlp's exported model m-\w+ are gone .* `vision sync` logs them"
    ):
        champion()
    assert registry.get_champion(open_store(), "mnist") is None
    assert open_store().client.search_registered_models() == []


def test_a_champion_whose_files_are_gone_is_said(workspace, capsys):
    train("mnist-mlp", FAIR)
    champion()
    shutil.rmtree("mlartifacts/models")
    train("mnist-cnn", BETTER)
    assert "mnist-mlp (version 1) stays the champion" in choose_with_warning(capsys, "mnist-mlp (version 1)")
    train("mnist-cnn", SURE, key="f" * 16)
    assert "mnist-cnn (version 3) becomes the champion" in choose_with_warning(capsys, "mnist-mlp (version 1)")


def test_the_store_that_params_name_is_asked_for_an_exported_model(workspace, capsys):
    Path("mlflow.db").rename("other.db")
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("tracking_uri: auto", "tracking_uri: sqlite:///other.db"))
    train("mnist-mlp", FAIR)
    assert "mnist-mlp (version 1) becomes the champion" in choose(capsys)


def test_nothing_to_choose_from(workspace, capsys):
    assert choose(capsys) == "No model is evaluated yet; `dvc repro` evaluates and exports them all."
    write_reports(Path("reports/models/mnist-mlp"), train={"key": KEYS["mnist-mlp"]})
    assert choose(capsys) == "mnist: no champion, for none of its models is in MLflow"
