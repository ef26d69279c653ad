"""What no single key can tell: that the sections fit together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from vision_pipeline.config.load import list_validation_errors
from vision_pipeline.config.models import ModelConfig


@pytest.fixture
def after(repository: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of params.yaml after `change` was applied to it."""

    def check(change: Callable[[Any], Any]) -> list[str]:
        params = YAML(typ="safe", pure=True).load(repository / "params.yaml")
        change(params)
        YAML(typ="safe", pure=True).dump(params, tmp_path / "params.yaml")
        return list_validation_errors(tmp_path / "params.yaml")

    return check


def _set(section: str, key: str, **values: Any) -> Callable[[Any], None]:
    return lambda params: params[section][key].update(values)


def _speednet(widths: tuple[int, ...] | list[int] = (8, 8), batch_size: int = 100) -> Callable[[Any], None]:
    def add(params: Any) -> None:
        shared = {
            key: value for key, value in params["models"]["cifar10-mlp"].items() if key in ModelConfig.model_fields
        }
        shared["train"] = {**shared["train"], "batch_size": batch_size}
        own = {"architecture": "speednet", "widths": list(widths), "convolutions": 1, "activation": "relu"}
        params["models"]["speednet"] = shared | own

    return add


def _finetune(**changes: Any) -> Callable[[Any], None]:
    def add(params: Any) -> None:
        shared = {
            key: value for key, value in params["models"]["cifar10-mlp"].items() if key in ModelConfig.model_fields
        }
        own = {"architecture": "finetune", "weights": "densenet121", "normalize": "backbone", "unfreeze": "all"}
        params["models"]["tuned"] = shared | own | changes

    return add


def _styled(**changes: Any) -> Callable[[Any], None]:
    """A style for cats_dogs-mixed, and a model on its views."""
    style = {"probability": 0.5, "strength": [0.5, 1.0], "backbone": "efficientnet_lite0", "pictures": "my_pictures"}

    def add(params: Any) -> None:
        policy = params["policies"]["cats_dogs-mixed"]
        policy.update({"views": 1, **changes}, style=style | changes.get("style", {}))
        model = {"dataset": "cats_dogs", "inputs": "augmented/cats_dogs-mixed/views", "augmentation": "none"}
        params["models"]["looks"] = params["models"]["cifar10-cnn"] | model

    return add


def _of_styled(section: str, key: str, **values: Any) -> Callable[[Any], None]:
    def add(params: Any) -> None:
        _styled()(params)
        params[section][key].update(values)

    return add


_LBFGS = {"optimizer": "lbfgs", "weight_decays": [1.0, 0.1], "class_weights": "none"}
_REGRESSION = (
    "which is for logistic regression on the same inputs in every step; "
    "allowed with: architecture mlp or transfer, hidden: [], augmentation: none"
)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _set("models", "mnist-mlp", dataset="minst"),
            "models.mnist-mlp.dataset is 'minst', which is not in `datasets`; did you mean 'mnist'?",
        ),
        (
            _set("models", "mnist-mlp", inputs="prepared/cifar10"),
            "models.mnist-mlp.inputs is 'prepared/cifar10'; allowed for this model: 'prepared/mnist'",
        ),
        (
            lambda params: params["models"]["cats_dogs-densenet121"]["train"].update(cutmix=1.0),
            "models.cats_dogs-densenet121.train.cutmix is 1; features have no areas to paste, so: 0",
        ),
        (
            _set("models", "mnist-cnn", augmentation="mnist-shft"),
            "models.mnist-cnn.augmentation is 'mnist-shft', which is not in `policies`; did you mean 'mnist-shift'?",
        ),
        (
            _set("models", "mnist-cnn", augmentation="cifar10-flip-rotate"),
            "models.mnist-cnn.augmentation is 'cifar10-flip-rotate', a policy for 'cifar10', not for 'mnist'",
        ),
        (
            _set("models", "cats_dogs-densenet121", inputs="features/cats_dogs-densenet"),
            "models.cats_dogs-densenet121.inputs is 'features/cats_dogs-densenet'; "
            "did you mean 'features/cats_dogs-densenet121'?",
        ),
        (
            _set("models", "cats_dogs-densenet121", augmentation="cats_dogs-mixed"),
            "models.cats_dogs-densenet121.augmentation is 'cats_dogs-mixed'; "
            "features are augmented by `features.*.augmentation`, so: 'none'",
        ),
        (
            _set("models", "mnist-cnn", channels=[8] * 5),
            "models.mnist-cnn.channels: nothing is left of the image after block 5; allowed: fewer blocks",
        ),
        (
            lambda params: params["models"]["mnist-mlp-wide"]["train"].update(batch_size=1),
            "models.mnist-mlp-wide.train.batch_size is 1; allowed with batch norm: 2 and above",
        ),
        *(
            (change, f"models.{name}.train.optimizer is 'lbfgs', {_REGRESSION}")
            for name, change in (
                ("mnist-cnn", _set("models", "mnist-cnn", train=_LBFGS, augmentation="none")),
                ("mnist-mlp", _set("models", "mnist-mlp", train=_LBFGS)),
                ("mnist-logistic", _set("models", "mnist-logistic", train=_LBFGS, augmentation="mnist-shift")),
            )
        ),
        (
            _set("policies", "mnist-shift", dataset="digits"),
            "policies.mnist-shift.dataset is 'digits', which is not in `datasets`; "
            "allowed: cats_dogs, cifar10, hello, mnist, shakespeare",
        ),
        (
            lambda params: params["policies"].update(none=params["policies"]["mnist-shift"]),
            "policies.none: the name `none` is taken (it means no augmentation)",
        ),
        (
            lambda params: params["policies"]["mnist-shift"]["translate"].update(right=[0.2, 0.8]),
            "policies.mnist-shift.translate.right is [0.2, 0.8]; "
            "allowed: a range with a whole number, or whole_pixels: false",
        ),
        (
            _set("features", "cats_dogs-densenet121", dataset="cats"),
            "features.cats_dogs-densenet121.dataset is 'cats', which is not in `datasets`; did you mean 'cats_dogs'?",
        ),
        (
            _set("features", "cats_dogs-densenet121", views=2),
            "features.cats_dogs-densenet121.views is 2, but without a policy every view is the same; allowed: 1",
        ),
        (
            lambda params: (
                params["features"]["cats_dogs-densenet121"].update(augmentation="cats_dogs-mixed", views=2),
                params["models"]["cats_dogs-densenet121"].update(fraction=0.5),
            ),
            "models.cats_dogs-densenet121.fraction is 0.5, but features/cats_dogs-densenet121 has 2 views of each "
            "image; allowed: 1",
        ),
        (
            lambda params: (_styled(views=2)(params), params["models"]["looks"].update(fraction=0.5)),
            "models.looks.fraction is 0.5, but augmented/cats_dogs-mixed/views has 2 views of each image; allowed: 1",
        ),
        (
            lambda params: params["backbones"].pop("densenet121"),
            "features.cats_dogs-densenet121.backbone is 'densenet121', which is not in `backbones`; "
            "allowed: efficientnet_lite0",
        ),
        (
            lambda params: params["backbones"].update(none=params["backbones"]["densenet121"]),
            "backbones.none: the name `none` is taken (it means no pretrained weights)",
        ),
        (
            _set("models", "mnist-cnn", weights="densenet121"),
            "models.mnist-cnn.weights is 'densenet121', which is for the architecture finetune alone",
        ),
        (
            _set("models", "mnist-cnn", normalize="backbone"),
            "models.mnist-cnn.normalize is 'backbone', which is for the architecture finetune alone",
        ),
        (
            _finetune(weights="none"),
            "models.tuned.weights is 'none', which is not in `backbones`; allowed: densenet121, efficientnet_lite0",
        ),
        (
            _finetune(normalize="standard"),
            "models.tuned.normalize is 'standard'; allowed for this architecture: 'backbone'",
        ),
        (
            _finetune(dataset="mnist", inputs="prepared/mnist"),
            "models.tuned.dataset is 'mnist', whose images are grey; allowed: one with prepare.channels: 3",
        ),
        (
            _finetune(inputs="features/cats_dogs-densenet121"),
            "models.tuned.inputs is 'features/cats_dogs-densenet121'; allowed for this model: 'prepared/cifar10'",
        ),
        (
            _speednet(widths=[8] * 5),
            "models.speednet.widths: nothing is left of 32 pixels after as many halvings; use fewer",
        ),
        (
            _speednet(batch_size=1),
            "models.speednet.train.batch_size is 1; allowed with batch norm: 2 and above",
        ),
        (
            _styled(style={"backbone": "lite0"}),
            "policies.cats_dogs-mixed.style.backbone is 'lite0', which is not in `backbones`; "
            "allowed: densenet121, efficientnet_lite0, none",
        ),
        (
            _styled(style={"backbone": "none"}),
            "policies.cats_dogs-mixed.style.backbone is 'none'; allowed with a style: "
            "a backbone whose network is tf_efficientnet_lite0 or vgg19 (efficientnet_lite0)",
        ),
        (
            _styled(style={"backbone": "densenet121"}),
            "policies.cats_dogs-mixed.style.backbone is 'densenet121'; allowed with a style: "
            "a backbone whose network is tf_efficientnet_lite0 or vgg19 (efficientnet_lite0)",
        ),
        (
            _styled(views=0),
            "policies.cats_dogs-mixed.views is 0; a style is for stored views alone, so: 1 and above",
        ),
        (
            _styled(dataset="mnist"),
            "policies.cats_dogs-mixed.style is for RGB images of at least 32x32 pixels, which 'mnist' does not have; "
            "allowed: probability 0",
        ),
        *(
            (
                _of_styled(section, key, augmentation="cats_dogs-mixed"),
                f"{section}.{key}.augmentation is 'cats_dogs-mixed', whose style is for stored views alone; "
                "a model takes them by inputs: augmented/cats_dogs-mixed/views, augmentation: none",
            )
            for section, key in (("models", "looks"), ("features", "cats_dogs-densenet121"))
        ),
        (
            _of_styled("policies", "cats_dogs-mixed", views=0),
            "models.looks.inputs is 'augmented/cats_dogs-mixed/views'; allowed for this model: 'prepared/cats_dogs'",
        ),
        (
            _of_styled("models", "looks", inputs="augmented/cats_dogs-mixed"),
            "models.looks.inputs is 'augmented/cats_dogs-mixed'; "
            "allowed for this model: 'prepared/cats_dogs', 'augmented/cats_dogs-mixed/views'",
        ),
        (
            lambda params: params["evaluate"].update(tta={"cifar": "mirror"}),
            "evaluate.tta names 'cifar', which is not in `datasets`; did you mean 'cifar10'?",
        ),
        (
            _set("features", "cats_dogs-densenet121", dataset="mnist"),
            "features.cats_dogs-densenet121.dataset is 'mnist', whose prepare.size is 28 and prepare.channels 1; a "
            "backbone takes RGB images of at least 32 pixels",
        ),
        (
            lambda params: params["datasets"]["mnist"]["prepare"].update(validation=0.5, test=0.5),
            "datasets.mnist.prepare: validation and test are 1 together; allowed: less than 1",
        ),
    ],
)
def test_sections_that_do_not_fit(change: Callable[[Any], Any], line: str, after: Callable[..., list[str]]) -> None:
    assert line in after(change)


@pytest.mark.parametrize(
    "change",
    [
        lambda params: params["models"]["mnist-cnn"].update(channels=[8] * 4),
        lambda params: params["models"]["mnist-logistic"]["train"].update(batch_size=1),
        lambda params: params["models"]["mnist-cnn"].update(augmentation="none"),
        _set("models", "mnist-logistic", train=_LBFGS),
        _finetune(),
        _styled(),
        _styled(style={"probability": 0.0, "backbone": "none"}),
        lambda params: params["policies"]["mnist-shift"]["translate"].update(right=[0.2, 0.8], whole_pixels=False),
        lambda params: params["features"]["cats_dogs-densenet121"].update(views=3, augmentation="cats_dogs-mixed"),
    ],
)
def test_sections_that_fit(change: Callable[[Any], Any], after: Callable[..., list[str]]) -> None:
    assert after(change) == []
