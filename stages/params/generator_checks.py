"""That generators fit the data sets and the models that they are for."""

from collections.abc import Iterator

from stages.params.data import Prepare
from stages.params.fields import unknown
from stages.params.models import AnyModel
from stages.params.schema import Params

_DIVISOR = 4  # of the images' sizes: the networks halve them twice


def generator_checks(params: Params) -> Iterator[str]:
    """Yield one line for each generator's key that names something that is not there or does not fit."""
    for name, generator in params.generators.items():
        key = f"generators.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no synthetic images)"
        if generator.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", generator.dataset, "datasets", list(params.datasets))
            continue
        prepare = params.datasets[generator.dataset].prepare
        if not isinstance(prepare, Prepare):
            yield f"{key}.dataset is {generator.dataset!r}, which holds no images; allowed: a data set of images"
        elif prepare.size % _DIVISOR:
            yield (
                f"{key}.dataset: its images have {prepare.size} pixels; allowed: a prepare.size divisible by {_DIVISOR}"
            )
        yield from _grader(params, f"{key}.grader", generator.grader, generator.dataset)


def _grader(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    if name not in params.models:
        yield unknown(key, name, "models", list(params.models))
        return
    model = params.models[name]
    if model.dataset != dataset:
        yield f"{key} is {name!r}, a model for {model.dataset!r}, not for {dataset!r}"
    if model.architecture == "transfer":
        yield f"{key} is {name!r}, which takes features; allowed: a model that takes images"
    if model.synthetic != "none":
        yield f"{key} is {name!r}, which learns from synthetic images itself; allowed: a model with synthetic: none"


def synthetic_checks(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """Yield one line for each reason why a generator's images may not join a model's training images."""
    if model.synthetic == "none":
        return
    key, name = f"{key}.synthetic", model.synthetic
    if name not in params.generators:
        yield unknown(key, name, "generators", ["none", *params.generators])
        return
    generator = params.generators[name]
    if model.architecture == "transfer":
        yield f"{key} is {name!r}, but this model learns from features; allowed: none"
    elif model.inputs != f"prepared/{model.dataset}":
        yield f"{key} is {name!r}, whose images join those of prepared/{model.dataset}, not of {model.inputs}"
    if generator.dataset != model.dataset:
        yield f"{key} is {name!r}, a generator for {generator.dataset!r}, not for {model.dataset!r}"
    if generator.fraction != model.fraction:
        yield (
            f"{key} is {name!r}, which learns from {generator.fraction:g} of the training images, the model from "
            f"{model.fraction:g}; allowed: the same fraction, or what it made would tell of images that the model "
            "is not to see"
        )
