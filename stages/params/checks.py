"""What no single key can tell: that the sections of `params.yaml` fit together."""

from collections.abc import Iterator
from math import ceil, floor

from stages.params.data import Policy, Prepare, PrepareCopy, Translate
from stages.params.fields import did_you_mean, unknown
from stages.params.generator_checks import generator_checks, synthetic_checks
from stages.params.models import CNN, AnyModel, Recurrent
from stages.params.schema import Params
from stages.params.sequences import no_images, recurrent_problems
from stages.params.training import Lbfgs, Train

_SMALLEST = 32  # pixels of height and width that a backbone takes
STYLED = ("tf_efficientnet_lite0", "vgg19")  # networks whose layers for style are known (stages/models/taps.py)


def cross_checks(params: Params) -> Iterator[str]:
    """Yield one line for each place where a key names something that is not there or does not fit."""
    yield from _datasets(params)
    yield from _policies(params)
    yield from _backbones(params)
    yield from _features(params)
    yield from generator_checks(params)
    yield from _models(params)
    yield from _views(params)


def _datasets(params: Params) -> Iterator[str]:
    for name, dataset in params.datasets.items():
        if isinstance(dataset.prepare, PrepareCopy):
            continue
        held_out = dataset.prepare.validation + dataset.prepare.test
        if held_out >= 1:
            yield f"datasets.{name}.prepare: validation and test are {held_out:g} together; allowed: less than 1"


def _policies(params: Params) -> Iterator[str]:
    for name, policy in params.policies.items():
        key = f"policies.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no augmentation)"
        if policy.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", policy.dataset, "datasets", list(params.datasets))
        if other := no_images(params, policy.dataset):
            yield f"{key}.dataset is {policy.dataset!r}, {other}; augmentation is for images"
        yield from _whole_shifts(f"{key}.translate", policy.translate)
        yield from _style(params, key, policy)


def _whole_shifts(key: str, shift: Translate) -> Iterator[str]:
    for direction, (low, high) in (("right", shift.right), ("up", shift.up)):
        if shift.whole_pixels and ceil(low) > floor(high):
            yield f"{key}.{direction} is {[low, high]}; allowed: a range with a whole number, or whole_pixels: false"


def _style(params: Params, key: str, policy: Policy) -> Iterator[str]:
    """A style needs a backbone, a place for what it makes, and RGB images that the backbone can take."""
    style, known = policy.style, ["none", *params.backbones]
    if style.backbone not in known:
        yield unknown(f"{key}.style.backbone", style.backbone, "backbones", known)
    if not style.applies:
        return
    fitting = [name for name, backbone in params.backbones.items() if backbone.network.partition(".")[0] in STYLED]
    if style.backbone in known and style.backbone not in fitting:
        allowed = f"a backbone whose network is {' or '.join(STYLED)} ({', '.join(fitting) or 'there is none'})"
        yield f"{key}.style.backbone is {style.backbone!r}; allowed with a style: {allowed}"
    if policy.views == 0:
        yield f"{key}.views is 0; a style is for stored views alone, so: 1 and above"
    if policy.dataset in params.datasets:
        prepare = dict(params.datasets[policy.dataset].prepare)
        if prepare.get("channels") != 3 or prepare["size"] < _SMALLEST:
            yield (
                f"{key}.style is for RGB images of at least {_SMALLEST}x{_SMALLEST} pixels, which {policy.dataset!r} "
                "does not have; allowed: probability 0"
            )


def _policy_fits(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    if name == "none":
        return
    if name not in params.policies:
        yield unknown(key, name, "policies", ["none", *params.policies])
    elif params.policies[name].dataset != dataset:
        yield f"{key} is {name!r}, a policy for {params.policies[name].dataset!r}, not for {dataset!r}"
    elif params.policies[name].style.applies:
        yield (
            f"{key} is {name!r}, whose style is for stored views alone; "
            f"a model takes them by inputs: augmented/{name}/views, augmentation: none"
        )


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
        if features.backbone not in params.backbones:
            yield unknown(f"{key}.backbone", features.backbone, "backbones", list(params.backbones))
        yield from _policy_fits(params, f"{key}.augmentation", features.augmentation, features.dataset)
        if features.augmentation == "none" and features.views > 1:
            yield f"{key}.views is {features.views}, but without a policy every view is the same; allowed: 1"


def _models(params: Params) -> Iterator[str]:
    for name, model in params.models.items():
        key = f"models.{name}"
        if model.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", model.dataset, "datasets", list(params.datasets))
            continue
        if model.architecture == "transfer":
            yield from _transfer_inputs(params, key, model.inputs, model.dataset, model.augmentation)
            if isinstance(model.train, Train) and model.train.cutmix:
                yield f"{key}.train.cutmix is {model.train.cutmix:g}; features have no areas to paste, so: 0"
        else:
            yield from _image_inputs(params, key, model.inputs, model.dataset)
        yield from _fraction(params, key, model)
        yield from _policy_fits(params, f"{key}.augmentation", model.augmentation, model.dataset)
        yield from _start(params, key, model)
        yield from synthetic_checks(params, key, model)
        if isinstance(model.train, Lbfgs):
            yield from _regression(key, model)
        elif model.train.batch_size == 1 and _normalises_batches(model):
            yield f"{key}.train.batch_size is 1; allowed with batch norm: 2 and above"
        if isinstance(model, Recurrent) or no_images(params, model.dataset):
            yield from recurrent_problems(params, key, model)
            continue
        prepare = params.datasets[model.dataset].prepare
        size = prepare.size if isinstance(prepare, Prepare) else 0
        if model.architecture == "cnn":
            yield from _blocks(key, model, size)
        if model.architecture == "speednet" and (size - 1) >> len(model.widths) < 1:
            yield f"{key}.widths: nothing is left of {size} pixels after as many halvings; use fewer"


def _fraction(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """A share of the rows is a share of the images only where each image is one row."""
    features = params.features.get(model.inputs.removeprefix("features/"))
    policy = params.policies.get(model.inputs.removeprefix("augmented/").removesuffix("/views"))
    views = features.views if features else policy.views if policy else 1
    if model.fraction < 1 and views > 1:
        yield f"{key}.fraction is {model.fraction:g}, but {model.inputs} has {views} views of each image; allowed: 1"


def _views(params: Params) -> Iterator[str]:
    known = list(params.datasets)
    for name in params.evaluate.tta.keys() - params.datasets.keys():
        yield f"evaluate.tta names {name!r}, which is not in `datasets`; {did_you_mean(name, known)}"
    for name in params.evaluate.tta:
        if other := no_images(params, name):
            yield f"evaluate.tta names {name!r}, {other}; views are of images"


def _start(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """What a model starts from, and the scale of its inputs that goes with it."""
    if model.architecture != "finetune":
        for name, value, wrong in (
            ("weights", model.weights, model.weights != "none"),
            ("normalize", model.normalize, model.normalize == "backbone"),
        ):
            if wrong:
                yield f"{key}.{name} is {value!r}, which is for the architecture finetune alone"
        return
    if model.weights not in params.backbones:
        yield unknown(f"{key}.weights", model.weights, "backbones", list(params.backbones))
    if model.normalize != "backbone":
        yield f"{key}.normalize is {model.normalize!r}; allowed for this architecture: 'backbone'"
    prepare = params.datasets[model.dataset].prepare
    if isinstance(prepare, Prepare) and prepare.channels != 3:
        yield f"{key}.dataset is {model.dataset!r}, whose images are grey; allowed: one with prepare.channels: 3"


def _regression(key: str, model: AnyModel) -> Iterator[str]:
    linear = model.architecture in ("mlp", "transfer") and not model.hidden
    if not linear or model.augmentation != "none":
        yield (
            f"{key}.train.optimizer is 'lbfgs', which is for logistic regression on the same inputs in every step; "
            "allowed with: architecture mlp or transfer, hidden: [], augmentation: none"
        )


def _normalises_batches(model: AnyModel) -> bool:
    return model.architecture in ("speednet", "finetune") or getattr(model, "batch_norm", False)


def _blocks(key: str, model: CNN, size: int) -> Iterator[str]:
    """Each block gives floor((size + 2 padding - kernel + 1) / 2) pixels, from `size`."""
    for block in range(1, len(model.channels) + 1):
        size = (size + 2 * model.padding - model.kernel + 1) // 2
        if size < 1:
            yield f"{key}.channels: nothing is left of the image after block {block}; allowed: fewer blocks"
            return


def _image_inputs(params: Params, key: str, inputs: str, dataset: str) -> Iterator[str]:
    stored = [name for name, policy in params.policies.items() if policy.dataset == dataset and policy.views]
    fitting = [f"prepared/{dataset}", *(f"augmented/{name}/views" for name in stored)]
    if inputs not in fitting:
        yield f"{key}.inputs is {inputs!r}; allowed for this model: {', '.join(map(repr, fitting))}"


def _transfer_inputs(params: Params, key: str, inputs: str, dataset: str, augmentation: str) -> Iterator[str]:
    fitting = [f"features/{name}" for name, features in params.features.items() if features.dataset == dataset]
    if inputs not in fitting:
        yield f"{key}.inputs is {inputs!r}; {did_you_mean(inputs, fitting)}"
    if augmentation != "none":
        yield f"{key}.augmentation is {augmentation!r}; features are augmented by `features.*.augmentation`, so: 'none'"
