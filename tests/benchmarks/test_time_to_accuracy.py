import re
import sys

import pytest
import torch
from scipy.stats import ttest_1samp
from tiny_model import write_set

from benchmarks import one_training, time_to_accuracy
from benchmarks.common import PARAMS, load_model_config
from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import open_dataset
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")
CHANGES = ["train.epochs=3", "train.batch_size=4"]


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """The working folder of a pipeline that has prepared a tiny data set as its `mnist`."""
    write_set(tmp_path / "data/prepared/mnist")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PARAMS.parent))
    return open_dataset(tmp_path / "data/prepared/mnist")


def test_a_training_depends_on_its_seed_alone(prepared):
    model = load_model_config("mnist-cnn", CHANGES)
    first, again, other = (one_training.train_and_test(model, prepared, CPU, seed) for seed in (0, 0, 1))
    accuracies = [[accuracy for accuracy, _ in outcome["epochs"]] for outcome in (first, again)]
    assert accuracies[0] == accuracies[1]
    assert len(accuracies[0]) == 3
    assert first["accuracy"] == again["accuracy"]
    assert first["accuracy"] * 40 == pytest.approx(round(first["accuracy"] * 40))  # of 40 test images
    seconds = [when for _, when in first["epochs"]]
    assert 0 < seconds[0] < seconds[1] < seconds[2] <= first["seconds"]
    assert other["epochs"][0][0] != first["epochs"][0][0] or other["accuracy"] != first["accuracy"]


def test_the_best_epochs_weights_are_tested_as_params_yaml_averages(prepared, monkeypatch):
    model = load_model_config("mnist-cnn", CHANGES)
    tested = []
    predict_logits = one_training.predict_logits
    monkeypatch.setattr(one_training, "predict_logits", lambda network, *more, **named: (
        tested.append(network), predict_logits(network, *more, **named))[1])  # fmt: skip
    monkeypatch.setattr(one_training, "load_tta_views", lambda model: None)
    one_training.train_and_test(model, prepared, CPU, 0)
    monkeypatch.setattr(one_training, "load_tta_views", lambda model: "mirror-shift")
    one_training.train_and_test(model, prepared, CPU, 0)
    assert [type(network).__name__ for network in tested] == ["PixelModel", "TTAModel"]
    weights = [network.state_dict() for network in (tested[0], tested[1].network)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_only_cifar10_is_averaged_over_views():
    assert one_training.load_tta_views(load_model_config("cifar10-speednet")) == "mirror-shift"
    assert one_training.load_tta_views(load_model_config("mnist-speednet")) is None


def test_each_seed_is_a_process_of_its_own_and_the_test_set_is_told(prepared, monkeypatch, capsys):
    changes = [f"--set={change}" for change in CHANGES]
    monkeypatch.setattr(sys, "argv", ["it", "mnist-mlp", "--seeds", "2", "--goal", "0.1", *changes])
    time_to_accuracy.main()
    _, description, *seeds, accuracy, cold, training, ratio = capsys.readouterr().out.splitlines()
    assert (
        description == "mnist-mlp on mnist (stand-in images; train 20, val 10, test 40); test averaged over views: no"
    )
    assert [line.split(":")[0] for line in seeds] == ["  seed 0", "  seed 1"]
    assert all("of it training; validation reached 10.00% after epoch" in line for line in seeds)
    assert accuracy.startswith("test accuracy: ") and accuracy.endswith(" %")
    assert all(re.search(r": \d+\.\d+ \(95 % interval .* to .*\) s$", line) for line in (cold, training))
    assert float(ratio.split()[3]) > 1


def test_the_interval_is_students():
    values = [94.0, 94.2, 94.5]
    low, high = ttest_1samp(values, 0).confidence_interval(0.95)
    assert time_to_accuracy.format_interval(values) == f"94.23 (95 % interval {low:.2f} to {high:.2f})"


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        (0.5, "validation reached 50.00% after epoch 1 of 3, 1.0 s of training"),
        (0.8, "validation reached 80.00% after epoch 2 of 3, 2.0 s of training"),
        (0.9, "validation never reached 90.00%, at best 80.00%"),
    ],
)
def test_when_a_goal_was_reached(goal, said):
    assert time_to_accuracy.describe_goal([[0.5, 1.0], [0.8, 2.0], [0.7, 3.0]], goal) == said


def test_models_of_features_and_missing_images_are_refused(prepared):
    with pytest.raises(UserError, match=r"features.*is missing; `dvc repro` makes it"):
        time_to_accuracy.print_description("cats_dogs-densenet121", load_model_config("cats_dogs-densenet121"))
