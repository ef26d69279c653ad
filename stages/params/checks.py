"""What no single key can tell: that the sections of `params.yaml` fit together."""

from collections.abc import Iterator

from stages.params.data import Prepare, PrepareCopy
from stages.params.fields import did_you_mean, unknown
from stages.params.generator_checks import generator_checks
from stages.params.model_checks import model_checks
from stages.params.path_checks import path_checks
from stages.params.policy_checks import SMALLEST, policy_checks, policy_fits
from stages.params.schema import Params
from stages.params.symbol_checks import no_images


def cross_checks(params: Params) -> Iterator[str]:
    """Yield one line for each place where a key names something that is not there or does not fit."""
    yield from _datasets(params)
    yield from path_checks(params)
    yield from policy_checks(params)
    yield from _backbones(params)
    yield from _features(params)
    yield from generator_checks(params)
    yield from model_checks(params)
    yield from _views(params)


def _datasets(params: Params) -> Iterator[str]:
    for name, dataset in params.datasets.items():
        if isinstance(dataset.prepare, PrepareCopy):
            continue
        held_out = dataset.prepare.validation + dataset.prepare.test
        if held_out >= 1:
            yield f"datasets.{name}.prepare: validation and test are {held_out:g} together; allowed: less than 1"


def _backbones(params: Params) -> Iterator[str]:
    if "none" in params.backbones:
        yield "backbones.none: the name `none` is taken (it means no pretrained weights)"


def _features(params: Params) -> Iterator[str]:
    for name, features in params.features.items():
        key = f"features.{name}"
        if features.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", features.dataset, "datasets", list(params.datasets))
        if other := no_images(params, features.dataset):
            yield f"{key}.dataset is {features.dataset!r}, {other}; a backbone takes images"
        yield from _photos(params, f"{key}.dataset", features.dataset)
        if features.backbone not in params.backbones:
            yield unknown(f"{key}.backbone", features.backbone, "backbones", list(params.backbones))
        yield from policy_fits(params, f"{key}.augmentation", features.augmentation, features.dataset)
        if features.augmentation == "none" and features.views > 1:
            yield f"{key}.views is {features.views}, but without a policy every view is the same; allowed: 1"


def _photos(params: Params, key: str, name: str) -> Iterator[str]:
    prepare = params.datasets[name].prepare if name in params.datasets else None
    if isinstance(prepare, Prepare) and (prepare.channels != 3 or prepare.size < SMALLEST):
        yield (
            f"{key} is {name!r}, whose prepare.size is {prepare.size} and prepare.channels {prepare.channels}; a "
            f"backbone takes RGB images of at least {SMALLEST} pixels"
        )


def _views(params: Params) -> Iterator[str]:
    known = list(params.datasets)
    for name in params.evaluate.tta.keys() - params.datasets.keys():
        yield f"evaluate.tta names {name!r}, which is not in `datasets`; {did_you_mean(name, known)}"
    for name in params.evaluate.tta:
        if other := no_images(params, name):
            yield f"evaluate.tta names {name!r}, {other}; views are of images"
