"""The schema refuses: unknown keys, wrong types, values out of range. And it has no defaults."""

import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from vision_pipeline.config.load import list_validation_errors
from vision_pipeline.config.models import ModelConfig
from vision_pipeline.config.schema import Params

Check = Callable[..., list[str]]


def _params(repository: Path) -> Any:
    return YAML(typ="safe", pure=True).load(repository / "params.yaml")


@pytest.fixture
def after(repository: Path, tmp_path: Path) -> Check:
    """The problems of params.yaml after `key.path` is set to a value, or deleted (`...`)."""

    def check(key: str, value: Any) -> list[str]:
        params = _params(repository)
        *sections, last = key.split("/")
        section = params
        for one in sections:
            section = section[one]
        if value is ...:
            del section[last]
        else:
            section[last] = value
        YAML(typ="safe", pure=True).dump(params, tmp_path / "params.yaml")
        return list_validation_errors(tmp_path / "params.yaml")

    return check


def _sections(kind: Any) -> Iterator[type[BaseModel]]:
    """Every section class that can be reached from `kind`."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _sections(field.annotation)
    for inner in typing.get_args(kind):
        yield from _sections(inner)


_OFF_VALUES = {
    "PolicyConfig": {
        "hflip": 0.0, "alternate_hflip": False, "vflip": 0.0, "rot90": 0.0, "views": 0,
        "rotate": {"probability": 0.0, "degrees": [0.0, 0.0]}, "scale": {"probability": 0.0, "factor": [1.0, 1.0]},
        "translate": {"probability": 0.0, "right": [0.0, 0.0], "up": [0.0, 0.0], "whole_pixels": False},
        "noise": {"probability": 0.0, "std": [0.0, 0.0]},
    },
    "TranslateConfig": {"whole_pixels": False},
    "StyleConfig": {"probability": 0.0, "strength": [0.0, 0.0]},
    "FeaturesConfig": {"views": 1},
    "TrainConfig": {
        "head_lr": 1.0, "bias_lr": 1.0, "momentum": 0.0, "weight_decay": 0.0, "warmup": 0.0, "label_smoothing": 0.0,
        "mixup": 0.0, "cutmix": 0.0, "class_weights": "none", "clip_norm": 0.0, "ema": 0.0, "compile": False,
        "patience": 0,
    },
    "LbfgsConfig": {"class_weights": "none"},
    "MLPConfig": {"dropout": 0.0, "batch_norm": False, "initialization": "default"},
    "CNNConfig": {"dropout": 0.0, "batch_norm": False, "initialization": "default"},
    "TransferConfig": {"dropout": 0.0},
    "RecurrentConfig": {"input_bias": 0.0, "dropout": 0.0, "steps": 0},
    "EvaluateConfig": {"tta": {}},
}  # fmt: skip
_OF_EVERY_MODEL: dict[str, Any] = {"fraction": 1.0, "seeds": []}


def test_only_a_key_that_is_off_has_a_default() -> None:
    """Any other default would be a value that changes results and that DVC does not see."""
    defaults: dict[str, dict[str, Any]] = {}
    for section in set(_sections(Params)):
        for name, field in section.model_fields.items():
            if not field.is_required():
                value = field.get_default(call_default_factory=True)
                defaults.setdefault(section.__name__, {})[name] = (
                    value.model_dump() if isinstance(value, BaseModel) else value
                )
    models = {model.__name__ for model in ModelConfig.__subclasses__()}
    assert defaults == {
        name: _OFF_VALUES.get(name, {}) | (_OF_EVERY_MODEL if name in models else {})
        for name in {*_OFF_VALUES, *models}
    }
    assert len(set(_sections(Params))) == 31


def test_params_yaml_is_valid(repository: Path) -> None:
    assert list_validation_errors(repository / "params.yaml") == []


@pytest.mark.parametrize(
    "section",
    [
        "",
        "data/",
        "datasets/mnist/",
        "datasets/mnist/prepare/",
        "policies/mnist-shift/",
        "policies/mnist-shift/rotate/",
        "policies/mnist-shift/scale/",
        "policies/mnist-shift/translate/",
        "policies/cats_dogs-mixed/noise/",
        "backbones/densenet121/",
        "features/cats_dogs-densenet121/",
        "models/mnist-mlp/",
        "models/mnist-cnn/",
        "models/cats_dogs-densenet121/",
        "models/mnist-mlp/train/",
        "models/cats_dogs-efficientnet_lite0/train/",
        "evaluate/",
        "export/",
        "mlflow/",
    ],
)
def test_every_section_refuses_an_unknown_key(section: str, after: Check) -> None:
    key = f"{section}qqq".replace("/", ".")
    (line,) = after(f"{section}qqq", 1)
    assert line.startswith(f"{key}: unknown key 'qqq'; allowed: ")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("sed", "seed"),
        ("datasets/mnist/souce", "source"),
        ("policies/mnist-shift/hfilp", "hflip"),
        ("models/mnist-cnn/chanels", "channels"),
        ("models/cats_dogs-densenet121/train/learning_rate", None),
        ("models/mnist-mlp/train/epoch", "epochs"),
        ("models/cats_dogs-efficientnet_lite0/train/weight_decay", "weight_decays"),
    ],
)
def test_an_unknown_key_gets_a_hint(key: str, hint: str | None, after: Check) -> None:
    (line,) = after(key, 1)
    assert line.endswith(f"did you mean {hint!r}?" if hint else "weight_decay")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("seed", "0", "seed is '0'; allowed: a valid integer"),
        ("seed", -1, "seed is -1; allowed: greater than or equal to 0"),
        ("seed", True, "seed is True; allowed: a valid integer"),
        ("seed", 2**32, "seed is 4294967296; allowed: less than 4294967296"),
        ("seed", 1.0, "seed is 1.0; allowed: a valid integer"),
        ("device", "gpu", "device is 'gpu'; allowed: 'auto', 'cuda', 'mps' or 'cpu'"),
        ("data/limit", -5, "data.limit is -5; allowed: greater than or equal to 0"),
        ("data", None, "data is empty; allowed: a section of `key: value` lines"),
        ("data", [1], "data is [1]; allowed: a section of `key: value` lines"),
        ("datasets/mnist/prepare/channels", 2, "datasets.mnist.prepare.channels is 2; allowed: 1 or 3"),
        ("policies/mnist-shift/hflip", 1.5, "policies.mnist-shift.hflip is 1.5; allowed: less than or equal to 1"),
        (
            "policies/mnist-shift/rotate/degrees",
            [10, -10],
            "policies.mnist-shift.rotate.degrees is [10, -10]; allowed: two numbers, the first not above the second",
        ),
        (
            "policies/mnist-shift/scale/factor",
            [0.0, 1.0],
            "policies.mnist-shift.scale.factor.0 is 0.0; allowed: greater than or equal to 0.05",
        ),
        (
            "policies/cats_dogs-mixed/noise/std",
            [-0.1, 0.1],
            "policies.cats_dogs-mixed.noise.std.0 is -0.1; allowed: greater than or equal to 0",
        ),
        ("models/mnist-mlp/train/lr", 0, "models.mnist-mlp.train.lr is 0; allowed: greater than 0"),
        ("models/mnist-mlp/train/lr", "1e-3", "models.mnist-mlp.train.lr is '1e-3'; allowed: a valid number"),
        ("models/mnist-mlp/train/lr", float("nan"), "models.mnist-mlp.train.lr is nan; allowed: a finite number"),
        ("models/mnist-mlp/train/lr", float("inf"), "models.mnist-mlp.train.lr is inf; allowed: a finite number"),
        ("models/mnist-mlp/hidden", [0], "models.mnist-mlp.hidden.0 is 0; allowed: greater than or equal to 1"),
        ("models/mnist-mlp/architecture", "mpl", "models.mnist-mlp.architecture is 'mpl'; did you mean 'mlp'?"),
        ("models/mnist-mlp/architecture", ..., "models.mnist-mlp.architecture is missing"),
        ("models/mnist-mlp/train/epochs", ..., "models.mnist-mlp.train.epochs is missing"),
        ("models/mnist-mlp/train/optimizer", "sdg", "models.mnist-mlp.train.optimizer is 'sdg'; did you mean 'sgd'?"),
        (
            "models/mnist-mlp/train/optimizer",
            "s" * 99,
            f"models.mnist-mlp.train.optimizer is '{'s' * 12}...{'s' * 13}'; allowed: adam, adamw, lbfgs, muon, sgd",
        ),
        ("models/mnist-mlp/train/optimizer", ..., "models.mnist-mlp.train.optimizer is missing"),
        ("models/mnist-mlp/train", None, "models.mnist-mlp.train is empty; allowed: a section of `key: value` lines"),
        (
            "models/cats_dogs-efficientnet_lite0/train/weight_decays",
            [1.0, 1.0],
            "models.cats_dogs-efficientnet_lite0.train.weight_decays is [1.0, 1.0]; "
            "allowed: numbers that fall, none twice",
        ),
        (
            "models/mnist-mlp/seeds",
            [3, 1, 1],
            "models.mnist-mlp.seeds is [3, 1, 1]; allowed: different seeds; the same one again would tell nothing of "
            "chance",
        ),
        ("models/mnist-mlp", None, "models.mnist-mlp is empty; allowed: a section of `key: value` lines"),
        ("evaluate", ..., "evaluate is missing"),
        (
            "datasets/my set",
            1,
            "datasets: the name 'my set' is not allowed; "
            "allowed: 1 to 64 letters, digits, _ and -, the first one a letter or a digit",
        ),
    ],
)
def test_what_is_refused_and_how_it_is_said(key: str, value: Any, line: str, after: Check) -> None:
    assert line in after(key, value)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/etc", "-a", "_a", "a b", "a.b", "a" * 65, "ä", "a\n"])
def test_no_name_can_leave_its_folder(name: str, repository: Path, tmp_path: Path) -> None:
    params = _params(repository)
    params["models"][name] = params["models"]["mnist-mlp"]
    YAML(typ="safe", pure=True).dump(params, tmp_path / "params.yaml")
    (line,) = list_validation_errors(tmp_path / "params.yaml")
    assert line.startswith(f"models: the name {name!r}"[:29])


def test_all_problems_are_named_at_once(repository: Path, tmp_path: Path) -> None:
    params = _params(repository)
    params["sed"], params["device"] = 0, "gpu"
    params["models"]["mnist-mlp"]["train"]["lrr"] = params["models"]["mnist-mlp"]["train"].pop("lr")
    YAML(typ="safe", pure=True).dump(params, tmp_path / "params.yaml")
    assert [line.split()[0].rstrip(":") for line in list_validation_errors(tmp_path / "params.yaml")] == [
        "device",
        "models.mnist-mlp.train.lr",
        "models.mnist-mlp.train.lrr",
        "sed",
    ]
