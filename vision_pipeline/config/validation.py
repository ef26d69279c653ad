"""Check what no single key of `params.yaml` can tell: that its sections fit together."""

from collections.abc import Iterator

from vision_pipeline.config.data import PrepareCopyConfig, PrepareImagesConfig
from vision_pipeline.config.data_validation import (
    check_paths,
    check_policies,
    check_policy_ref,
    get_non_image_kind,
)
from vision_pipeline.config.fields import did_you_mean, format_unknown_ref
from vision_pipeline.config.models import AnyModelConfig, CNNConfig, LbfgsConfig, RecurrentConfig, TrainConfig
from vision_pipeline.config.schema import Params
from vision_pipeline.core.limits import GAN_SIZE_DIVISOR, MIN_BACKBONE_SIZE


def validate_references(params: Params) -> Iterator[str]:
    """Yield one line for each place where a key names something that is not there or does not fit."""
    yield from _check_datasets(params)
    yield from check_paths(params)
    yield from check_policies(params)
    yield from _check_backbones(params)
    yield from _check_features(params)
    yield from check_generators(params)
    yield from check_models(params)
    yield from _check_tta(params)


def _check_datasets(params: Params) -> Iterator[str]:
    for name, dataset in params.datasets.items():
        if isinstance(dataset.prepare, PrepareCopyConfig):
            continue
        held_out = dataset.prepare.validation + dataset.prepare.test
        if held_out >= 1:
            yield f"datasets.{name}.prepare: validation and test are {held_out:g} together; allowed: less than 1"


def _check_backbones(params: Params) -> Iterator[str]:
    if "none" in params.backbones:
        yield "backbones.none: the name `none` is taken (it means no pretrained weights)"


def _check_features(params: Params) -> Iterator[str]:
    for name, features in params.features.items():
        key = f"features.{name}"
        if features.dataset not in params.datasets:
            yield format_unknown_ref(f"{key}.dataset", features.dataset, "datasets", list(params.datasets))
        if kind := get_non_image_kind(params, features.dataset):
            yield f"{key}.dataset is {features.dataset!r}, {kind}; a backbone takes images"
        yield from _check_backbone_images(params, f"{key}.dataset", features.dataset)
        if features.backbone not in params.backbones:
            yield format_unknown_ref(f"{key}.backbone", features.backbone, "backbones", list(params.backbones))
        yield from check_policy_ref(params, f"{key}.augmentation", features.augmentation, features.dataset)
        if features.augmentation == "none" and features.views > 1:
            yield f"{key}.views is {features.views}, but without a policy every view is the same; allowed: 1"


def _check_backbone_images(params: Params, key: str, name: str) -> Iterator[str]:
    prepare = params.datasets[name].prepare if name in params.datasets else None
    if isinstance(prepare, PrepareImagesConfig) and (prepare.channels != 3 or prepare.size < MIN_BACKBONE_SIZE):
        yield (
            f"{key} is {name!r}, whose prepare.size is {prepare.size} and prepare.channels {prepare.channels}; a "
            f"backbone takes RGB images of at least {MIN_BACKBONE_SIZE} pixels"
        )


def _check_tta(params: Params) -> Iterator[str]:
    allowed = list(params.datasets)
    for name in params.evaluate.tta.keys() - params.datasets.keys():
        yield f"evaluate.tta names {name!r}, which is not in `datasets`; {did_you_mean(name, allowed)}"
    for name in params.evaluate.tta:
        if kind := get_non_image_kind(params, name):
            yield f"evaluate.tta names {name!r}, {kind}; views are of images"


def check_generators(params: Params) -> Iterator[str]:
    """Yield one line for each generator's key that names something that is not there or does not fit."""
    for name, generator in params.generators.items():
        key = f"generators.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no synthetic images)"
        if generator.dataset not in params.datasets:
            yield format_unknown_ref(f"{key}.dataset", generator.dataset, "datasets", list(params.datasets))
            continue
        prepare = params.datasets[generator.dataset].prepare
        if not isinstance(prepare, PrepareImagesConfig):
            yield f"{key}.dataset is {generator.dataset!r}, which holds no images; allowed: a data set of images"
        elif prepare.size % GAN_SIZE_DIVISOR:
            yield (
                f"{key}.dataset: its images have {prepare.size} pixels; allowed: a prepare.size divisible by "
                f"{GAN_SIZE_DIVISOR}"
            )
        yield from _check_grader(params, f"{key}.grader", generator.grader, generator.dataset)


def _check_grader(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    if name not in params.models:
        yield format_unknown_ref(key, name, "models", list(params.models))
        return
    model = params.models[name]
    if model.dataset != dataset:
        yield f"{key} is {name!r}, a model for {model.dataset!r}, not for {dataset!r}"
    if model.architecture == "transfer":
        yield f"{key} is {name!r}, which takes features; allowed: a model that takes images"
    if model.synthetic != "none":
        yield f"{key} is {name!r}, which learns from synthetic images itself; allowed: a model with synthetic: none"


def check_synthetic_ref(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    """Yield one line for each reason why a generator's images may not join a model's training images."""
    if model.synthetic == "none":
        return
    key, name = f"{key}.synthetic", model.synthetic
    if name not in params.generators:
        yield format_unknown_ref(key, name, "generators", ["none", *params.generators])
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


def check_models(params: Params) -> Iterator[str]:
    """Yield one line for each reason why a model does not fit."""
    for name, model in params.models.items():
        key = f"models.{name}"
        if model.dataset not in params.datasets:
            yield format_unknown_ref(f"{key}.dataset", model.dataset, "datasets", list(params.datasets))
            continue
        yield from _check_inputs(params, key, model)
        yield from _check_fraction(params, key, model)
        yield from check_policy_ref(params, f"{key}.augmentation", model.augmentation, model.dataset)
        yield from _check_pretrained_weights(params, key, model)
        yield from check_synthetic_ref(params, key, model)
        yield from _check_training(key, model)
        yield from _check_layer_sizes(params, key, model)


def _check_inputs(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    if model.architecture != "transfer":
        yield from _check_image_inputs(params, key, model.inputs, model.dataset)
        return
    yield from _check_feature_inputs(params, key, model.inputs, model.dataset, model.augmentation)
    if isinstance(model.train, TrainConfig) and model.train.cutmix:
        yield f"{key}.train.cutmix is {model.train.cutmix:g}; features have no areas to paste, so: 0"


def _check_fraction(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    """Yield the problem of a share of rows that is no share of images, because an image has several rows."""
    features = params.features.get(model.inputs.removeprefix("features/"))
    policy = params.policies.get(model.inputs.removeprefix("augmented/").removesuffix("/views"))
    views = features.views if features else policy.views if policy else 1
    if model.fraction < 1 and views > 1:
        yield f"{key}.fraction is {model.fraction:g}, but {model.inputs} has {views} views of each image; allowed: 1"


def _check_pretrained_weights(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    """Yield the problems of pretrained weights, and of the scale of the inputs that goes with them."""
    if model.architecture != "finetune":
        for name, value, is_misplaced in (
            ("weights", model.weights, model.weights != "none"),
            ("normalize", model.normalize, model.normalize == "backbone"),
        ):
            if is_misplaced:
                yield f"{key}.{name} is {value!r}, which is for the architecture finetune alone"
        return
    if model.weights not in params.backbones:
        yield format_unknown_ref(f"{key}.weights", model.weights, "backbones", list(params.backbones))
    if model.normalize != "backbone":
        yield f"{key}.normalize is {model.normalize!r}; allowed for this architecture: 'backbone'"
    prepare = params.datasets[model.dataset].prepare
    if isinstance(prepare, PrepareImagesConfig) and prepare.channels != 3:
        yield f"{key}.dataset is {model.dataset!r}, whose images are grey; allowed: one with prepare.channels: 3"


def _check_training(key: str, model: AnyModelConfig) -> Iterator[str]:
    if isinstance(model.train, LbfgsConfig):
        yield from _check_lbfgs(key, model)
    elif model.train.batch_size == 1 and _uses_batch_norm(model):
        yield f"{key}.train.batch_size is 1; allowed with batch norm: 2 and above"


def _check_lbfgs(key: str, model: AnyModelConfig) -> Iterator[str]:
    is_linear = model.architecture in ("mlp", "transfer") and not model.hidden
    if not is_linear or model.augmentation != "none":
        yield (
            f"{key}.train.optimizer is 'lbfgs', which is for logistic regression on the same inputs in every step; "
            "allowed with: architecture mlp or transfer, hidden: [], augmentation: none"
        )


def _uses_batch_norm(model: AnyModelConfig) -> bool:
    return model.architecture in ("speednet", "finetune") or getattr(model, "batch_norm", False)


def _check_recurrent(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    """Yield the problems of a model of symbols: a recurrent network reads them, a text in steps."""
    kind = get_non_image_kind(params, model.dataset)
    if not isinstance(model, RecurrentConfig):
        yield f"{key}.architecture is {model.architecture!r}, but {model.dataset!r} is {kind}; allowed: 'recurrent'"
        return
    if kind == "a text" and model.steps == 0:
        yield f"{key}.steps is 0; a text needs the number of symbols that the gradient goes back, such as 64"
    if kind == "a text" and model.fraction < 1:
        yield f"{key}.fraction is {model.fraction:g}, but a text is read from its start to its end, so: 1.0"
    if kind and model.synthetic != "none":
        yield f"{key}.synthetic is {model.synthetic!r}, but {model.dataset!r} is {kind}; a generator makes images"
    if kind != "a text" and model.steps > 0:
        yield f"{key}.steps is {model.steps}, but only a text is read in steps, so: 0"
    if kind and isinstance(model.train, TrainConfig):
        yield from (
            f"{key}.train.{name} is {value}; symbols cannot be mixed, nor their steps compiled, so: {off_value}"
            for name, value, off_value in (
                ("mixup", model.train.mixup, "0"),
                ("cutmix", model.train.cutmix, "0"),
                ("compile", str(model.train.compile).lower(), "false"),
            )
            if value not in (0, "false")
        )


def _check_layer_sizes(params: Params, key: str, model: AnyModelConfig) -> Iterator[str]:
    """Yield the problems of a network that cannot read its inputs to the last layer."""
    if isinstance(model, RecurrentConfig) or get_non_image_kind(params, model.dataset):
        yield from _check_recurrent(params, key, model)
        return
    prepare = params.datasets[model.dataset].prepare
    size = prepare.size if isinstance(prepare, PrepareImagesConfig) else 0
    if model.architecture == "cnn":
        yield from _check_cnn_blocks(key, model, size)
    if model.architecture == "speednet" and (size - 1) >> len(model.widths) < 1:
        yield f"{key}.widths: nothing is left of {size} pixels after as many halvings; use fewer"


def _check_cnn_blocks(key: str, model: CNNConfig, size: int) -> Iterator[str]:
    """Yield the block after which no pixel is left; each gives floor((size + 2 padding - kernel + 1) / 2) of `size`."""
    for block in range(1, len(model.channels) + 1):
        size = (size + 2 * model.padding - model.kernel + 1) // 2
        if size < 1:
            yield f"{key}.channels: nothing is left of the image after block {block}; allowed: fewer blocks"
            return


def _check_image_inputs(params: Params, key: str, inputs: str, dataset: str) -> Iterator[str]:
    policy_names = [name for name, policy in params.policies.items() if policy.dataset == dataset and policy.views]
    allowed_inputs = [f"prepared/{dataset}", *(f"augmented/{name}/views" for name in policy_names)]
    if inputs not in allowed_inputs:
        yield f"{key}.inputs is {inputs!r}; allowed for this model: {', '.join(map(repr, allowed_inputs))}"


def _check_feature_inputs(params: Params, key: str, inputs: str, dataset: str, augmentation: str) -> Iterator[str]:
    allowed_inputs = [f"features/{name}" for name, features in params.features.items() if features.dataset == dataset]
    if inputs not in allowed_inputs:
        yield f"{key}.inputs is {inputs!r}; {did_you_mean(inputs, allowed_inputs)}"
    if augmentation != "none":
        yield f"{key}.augmentation is {augmentation!r}; features are augmented by `features.*.augmentation`, so: 'none'"
