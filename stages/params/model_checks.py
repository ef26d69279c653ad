"""That every model fits its data set, its inputs, what it starts from and how it is trained."""

from collections.abc import Iterator

from stages.params.data import Prepare
from stages.params.fields import did_you_mean, unknown
from stages.params.generator_checks import synthetic_checks
from stages.params.models import CNN, AnyModel, Recurrent
from stages.params.policy_checks import policy_fits
from stages.params.schema import Params
from stages.params.symbol_checks import no_images, recurrent_problems
from stages.params.training import Lbfgs, Train


def model_checks(params: Params) -> Iterator[str]:
    """Yield one line for each reason why a model does not fit."""
    for name, model in params.models.items():
        key = f"models.{name}"
        if model.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", model.dataset, "datasets", list(params.datasets))
            continue
        yield from _inputs(params, key, model)
        yield from _fraction(params, key, model)
        yield from policy_fits(params, f"{key}.augmentation", model.augmentation, model.dataset)
        yield from _start(params, key, model)
        yield from synthetic_checks(params, key, model)
        yield from _training(key, model)
        yield from _layers(params, key, model)


def _inputs(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    if model.architecture != "transfer":
        yield from _image_inputs(params, key, model.inputs, model.dataset)
        return
    yield from _transfer_inputs(params, key, model.inputs, model.dataset, model.augmentation)
    if isinstance(model.train, Train) and model.train.cutmix:
        yield f"{key}.train.cutmix is {model.train.cutmix:g}; features have no areas to paste, so: 0"


def _fraction(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """A share of the rows is a share of the images only where each image is one row."""
    features = params.features.get(model.inputs.removeprefix("features/"))
    policy = params.policies.get(model.inputs.removeprefix("augmented/").removesuffix("/views"))
    views = features.views if features else policy.views if policy else 1
    if model.fraction < 1 and views > 1:
        yield f"{key}.fraction is {model.fraction:g}, but {model.inputs} has {views} views of each image; allowed: 1"


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


def _training(key: str, model: AnyModel) -> Iterator[str]:
    if isinstance(model.train, Lbfgs):
        yield from _regression(key, model)
    elif model.train.batch_size == 1 and _normalises_batches(model):
        yield f"{key}.train.batch_size is 1; allowed with batch norm: 2 and above"


def _regression(key: str, model: AnyModel) -> Iterator[str]:
    linear = model.architecture in ("mlp", "transfer") and not model.hidden
    if not linear or model.augmentation != "none":
        yield (
            f"{key}.train.optimizer is 'lbfgs', which is for logistic regression on the same inputs in every step; "
            "allowed with: architecture mlp or transfer, hidden: [], augmentation: none"
        )


def _normalises_batches(model: AnyModel) -> bool:
    return model.architecture in ("speednet", "finetune") or getattr(model, "batch_norm", False)


def _layers(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """That the network can read what it is given, to its last layer."""
    if isinstance(model, Recurrent) or no_images(params, model.dataset):
        yield from recurrent_problems(params, key, model)
        return
    prepare = params.datasets[model.dataset].prepare
    size = prepare.size if isinstance(prepare, Prepare) else 0
    if model.architecture == "cnn":
        yield from _blocks(key, model, size)
    if model.architecture == "speednet" and (size - 1) >> len(model.widths) < 1:
        yield f"{key}.widths: nothing is left of {size} pixels after as many halvings; use fewer"


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
