"""The benchmarks measure what they say; their results are not tested."""

import pytest
import torch
from pydantic import ValidationError

from benchmarks import common, matmul, timing, training
from benchmarks.common import build_random_task, load_model_config, setup_runtime_for
from vision_pipeline.core.errors import UserError
from vision_pipeline.runtime.device import Runtime, setup_runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def test_speednets_operations_are_those_of_its_record():
    model = common.load_model_config("cifar10-speednet").model_copy(update={"widths": [64, 256, 256]})
    per_image = matmul.count_operations(common.build_random_task(model, 10, CPU))
    whitening = 2 * 24 * 3 * 4 * 31 * 31
    convolutions = 24 * 64 * 31**2 + (64 * 64 + 64 * 256) * 15**2 + 256 * 256 * (2 * 7**2 + 3**2)
    assert per_image == whitening + 6 * (9 * convolutions + 256 * 10)
    assert per_image / 1e9 == pytest.approx(0.71, abs=0.02)


def test_turns_alternate_and_give_the_median(capsys):
    called = []
    values = {"a": iter([1.0, 5.0, 2.0]), "b": iter([10.0, 30.0, 20.0])}

    def measure(name):
        called.append(name)
        return next(values[name])

    medians = timing.measure_in_turns(3, a=lambda: measure("a"), b=lambda: measure("b"))
    assert called == ["a", "b"] * 3
    assert medians == {"a": 2.0, "b": 20.0}
    assert len(capsys.readouterr().out.splitlines()) == 6


@pytest.mark.parametrize("name", ["cifar10-cnn", "cifar10-speednet"])
def test_both_recipes_train(name):
    assert training.measure_recipe(name, batch_size=64, workers=0, count=300, runtime=CPU) > 0
    assert training.measure_engine(name, 300, CPU) > 0


def test_the_usual_recipe_trains_every_image_of_its_network(monkeypatch):
    seen, build_model = [], training.build_model

    def build_with_hook(*arguments):
        network = build_model(*arguments)
        network.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
        return network

    monkeypatch.setattr(training, "build_model", build_with_hook)
    training.measure_recipe("cifar10-cnn", batch_size=64, workers=0, count=300, runtime=CPU)
    assert seen == [64, 64, 64, 64, 44]


def test_a_model_can_be_changed_as_params_yaml_could():
    assert common.load_model_config("cifar10-speednet", ["widths=[8, 16]", "train.epochs=2"]).widths == [8, 16]
    assert common.load_model_config("mnist-mlp", ["train.lr=0.5"]).train.lr == 0.5
    with pytest.raises(ValidationError, match="epoch"):
        common.load_model_config("mnist-mlp", ["train.epoch=2"])


def test_determinism_is_left_inside_the_block_alone():
    def state():
        return torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark

    setup_runtime("cpu", "fp32", 0, has_convolutions=True)
    with common.allow_nondeterminism():
        assert state() == (0, True)
    assert state() == (2, False)


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("cats_dogs-efficientnet_lite0", [], "is trained from a backbone or by L-BFGS"),
        ("mnist-mlp", ["fraction=0.1"], "is trained on a fraction or on synthetic images"),
        ("mnist-mlp", ["synthetic=mnist-gan"], "is trained on a fraction or on synthetic images"),
    ],
)
def test_what_would_be_trained_otherwise_is_refused(name, changes, why):
    with pytest.raises(UserError, match=f"{name} {why}"):
        setup_runtime_for(name, load_model_config(name, changes))


@pytest.mark.parametrize(
    ("name", "convolutional"), [("mnist-mlp", False), ("mnist-cnn", True), ("cifar10-speednet", True)]
)
def test_precision_is_chosen_as_for_a_training(name, convolutional, monkeypatch):
    calls = []
    monkeypatch.setattr(common, "setup_runtime", lambda *args, **kwargs: calls.append((args, kwargs)) or CPU)
    setup_runtime_for(name, load_model_config(name), "cpu")
    assert calls == [(("cpu", "auto", 0), {"has_convolutions": convolutional})]


def test_a_task_begins_with_the_models_weights():
    model = load_model_config("mnist-mlp", ["initialization=zeros"])
    network = build_random_task(model, 8, CPU).network
    assert not any(parameter.any() for name, parameter in network.named_parameters() if name.endswith("weight"))
