"""The section `generators`, and the models that its images are for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from vision_pipeline.config.load import list_validation_errors

_yaml = YAML(typ="safe", pure=True)
Check = Callable[[Callable[[Any], Any]], list[str]]


def _example(text: str) -> Any:
    """What params.yaml shows in its comments above `generators`."""
    above = text.partition("\ngenerators:")[0].partition("\n# GANs ")[2].splitlines()
    lines = [line.removeprefix("#") for line in above if line.startswith("#  ")]
    return _yaml.load("\n".join(lines))


@pytest.fixture
def after(repository: Path, tmp_path: Path) -> Check:
    """The problems of params.yaml with the example's generator and a model that its images join, after a change."""

    def check(change: Callable[[Any], Any]) -> list[str]:
        text = (repository / "params.yaml").read_text()
        params = _yaml.load(text)
        params["generators"] = _example(text)
        params["models"]["helped"] = params["models"]["mnist-cnn"] | {"fraction": 0.1, "synthetic": "mnist-gan"}
        change(params)
        _yaml.dump(params, tmp_path / "params.yaml")
        return list_validation_errors(tmp_path / "params.yaml")

    return check


def _generator(**values: Any) -> Callable[[Any], None]:
    return lambda params: params["generators"]["mnist-gan"].update(values)


def _helped(**values: Any) -> Callable[[Any], None]:
    return lambda params: params["models"]["helped"].update(values)


def _other_model(params: Any) -> None:
    params["models"]["cifar10-cnn"].update(fraction=0.1, synthetic="mnist-gan")


def _head(params: Any) -> None:
    params["generators"]["pets"] = params["generators"]["mnist-gan"] | {"dataset": "cats_dogs", "fraction": 1.0}
    params["generators"]["pets"]["grader"] = "cats_dogs-densenet121"
    params["models"]["cats_dogs-densenet121"]["synthetic"] = "pets"


def test_there_is_none_by_default_and_the_example_is_valid(repository: Path, after: Check) -> None:
    text = (repository / "params.yaml").read_text()
    assert _yaml.load(text)["generators"] == {}
    assert list(_example(text)) == ["mnist-gan"]
    assert after(lambda params: None) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _generator(dataset="minst"),
            "generators.mnist-gan.dataset is 'minst', which is not in `datasets`; did you mean 'mnist'?",
        ),
        (
            _generator(grader="mnist-cn"),
            "generators.mnist-gan.grader is 'mnist-cn', which is not in `models`; did you mean 'mnist-cnn'?",
        ),
        (
            _generator(grader="cifar10-cnn"),
            "generators.mnist-gan.grader is 'cifar10-cnn', a model for 'cifar10', not for 'mnist'",
        ),
        (
            _generator(grader="helped"),
            "generators.mnist-gan.grader is 'helped', which learns from synthetic images itself; "
            "allowed: a model with synthetic: none",
        ),
        (
            lambda params: params["datasets"]["mnist"]["prepare"].update(size=30),
            "generators.mnist-gan.dataset: its images have 30 pixels; allowed: a prepare.size divisible by 4",
        ),
        (
            lambda params: params["generators"].update(none=params["generators"]["mnist-gan"]),
            "generators.none: the name `none` is taken (it means no synthetic images)",
        ),
        (
            _helped(synthetic="mnist-gam"),
            "models.helped.synthetic is 'mnist-gam', which is not in `generators`; did you mean 'mnist-gan'?",
        ),
        (
            _helped(fraction=0.01),
            "models.helped.synthetic is 'mnist-gan', which learns from 0.1 of the training images, the model from "
            "0.01; allowed: the same fraction, or what it made would tell of images that the model is not to see",
        ),
        (
            _generator(dataset="hello"),
            "generators.mnist-gan.dataset is 'hello', which holds no images; allowed: a data set of images",
        ),
        (_other_model, "models.cifar10-cnn.synthetic is 'mnist-gan', a generator for 'mnist', not for 'cifar10'"),
        (
            _head,
            "models.cats_dogs-densenet121.synthetic is 'pets', but this model learns from features; allowed: none",
        ),
        (
            _helped(inputs="augmented/mnist-shift/views", augmentation="none"),
            "models.helped.synthetic is 'mnist-gan', whose images join those of prepared/mnist, not of "
            "augmented/mnist-shift/views",
        ),
        (
            _head,
            "generators.pets.grader is 'cats_dogs-densenet121', which takes features; "
            "allowed: a model that takes images",
        ),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[Any], None], line: str, after: Check) -> None:
    assert line in after(change)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_generator(fraction=0.0), "generators.mnist-gan.fraction is 0.0; allowed: greater than 0"),
        (_generator(per_class=0), "generators.mnist-gan.per_class is 0; allowed: greater than or equal to 1"),
        (_generator(qqq=1), "generators.mnist-gan.qqq: unknown key 'qqq'; allowed: "),
        (
            lambda params: params["generators"]["mnist-gan"]["gan"].update(widht=3),
            "generators.mnist-gan.gan.widht: unknown key 'widht'; did you mean 'width'?",
        ),
        (_helped(fraction=1.5), "models.helped.fraction is 1.5; allowed: less than or equal to 1"),
    ],
)
def test_values_that_are_not_allowed(change: Callable[[Any], None], line: str, after: Check) -> None:
    (found,) = after(change)
    assert found.startswith(line)
