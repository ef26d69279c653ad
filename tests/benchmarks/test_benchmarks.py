"""The benchmarks measure what they say; their figures are no test's business."""

import pytest
import torch
from ruamel.yaml import YAML

from benchmarks import common, matmul, training
from stages.compute.device import Machine
from stages.params.load import problems

CPU = Machine(torch.device("cpu"), "fp32", 1, "test")


def test_speednets_operations_are_those_of_its_record():
    model = common.model_of("cifar10-speednet").model_copy(update={"widths": [64, 256, 256]})
    per_image = matmul.operations(common.engine_task(model, 10, CPU))
    whitening = 2 * 24 * 3 * 4 * 31 * 31
    convolutions = 24 * 64 * 31**2 + (64 * 64 + 64 * 256) * 15**2 + 256 * 256 * (2 * 7**2 + 3**2)
    assert per_image == whitening + 6 * (9 * convolutions + 256 * 10)
    assert per_image / 1e9 == pytest.approx(0.71, abs=0.02)


def test_their_models_can_be_copied_into_params_yaml(tmp_path):
    yaml = YAML(typ="safe", pure=True)
    params, own = (yaml.load(path) for path in (common.PARAMS, common.MODELS))
    for section in own:
        params[section].update(own[section])
    yaml.dump(params, tmp_path / "params.yaml")
    assert problems(tmp_path / "params.yaml") == []


def test_turns_alternate_and_give_the_median(capsys):
    called = []
    values = {"a": iter([1.0, 5.0, 2.0]), "b": iter([10.0, 30.0, 20.0])}

    def measure(name):
        called.append(name)
        return next(values[name])

    found = common.in_turns(3, a=lambda: measure("a"), b=lambda: measure("b"))
    assert called == ["a", "b"] * 3
    assert found == {"a": 2.0, "b": 20.0}
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_both_recipes_train(monkeypatch):
    monkeypatch.setattr(training, "COUNT", 300)
    assert training.usual("cifar10-cnn", 64, 0, CPU) > 0
    assert training.engine("cifar10-cnn", CPU) > 0
