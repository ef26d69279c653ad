"""A key that is left out and the same key with its off value give the same policy, network, batches and fingerprint."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import resolve_policy
from vision_pipeline.config.data import FeaturesConfig, PolicyConfig
from vision_pipeline.config.effective import fill_defaults, fill_defaults_at
from vision_pipeline.config.explain import explain_section, format_explanation
from vision_pipeline.config.load import list_validation_errors_in, load_params, parse_file, safe_load
from vision_pipeline.config.models import ModelConfig, TrainConfig
from vision_pipeline.config.schema import EvaluateConfig, Params
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.training import run_spec
from vision_pipeline.training.run_spec import make_training_runs

INPUT_SHAPES = {"transfer": [8], "recurrent": [28, 28, 1], "finetune": [32, 32, 3]}


def _off_values(section: type[BaseModel]) -> dict[str, Any]:
    values = {
        name: field.get_default(call_default_factory=True)
        for name, field in section.model_fields.items()
        if not field.is_required()
    }
    return {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in values.items()}


def _shortest_models(repository: Path) -> dict[str, Any]:
    """By architecture, a model's section without any key that is off."""
    params = parse_file(repository / "params.yaml", safe_load)
    models = {model["architecture"]: model for model in params["models"].values() if "lr" in model["train"]}
    models["finetune"] = models["cnn"] | {"architecture": "finetune", "unfreeze": "all", "normalize": "backbone"}
    for key in ("channels", "kernel", "padding", "hidden", "activation", "dropout", "batch_norm"):
        models["finetune"].pop(key, None)
    sections = {
        model.model_fields["architecture"].annotation.__args__[0]: model for model in ModelConfig.__subclasses__()
    }
    shortest = {}
    for name, model in models.items():
        train = {key: value for key, value in model["train"].items() if key not in _off_values(TrainConfig)}
        shortest[name] = {key: value for key, value in model.items() if key not in _off_values(sections[name])}
        shortest[name]["train"] = train
    shortest["recurrent"]["steps"] = 0
    return shortest


def _cases() -> Iterator[tuple[str, str]]:
    for model in ModelConfig.__subclasses__():
        architecture = model.model_fields["architecture"].annotation.__args__[0]
        yield from ((architecture, name) for name in _off_values(model))
        yield from ((architecture, f"train.{name}") for name in _off_values(TrainConfig))


def _parse(section: dict[str, Any]) -> Any:
    architectures = {
        model.model_fields["architecture"].annotation.__args__[0]: model for model in ModelConfig.__subclasses__()
    }
    return architectures[section["architecture"]].model_validate(section)


def _with(section: dict[str, Any], key: str, architecture: str) -> dict[str, Any]:
    """The section with one key set to its off value."""
    if key.startswith("train."):
        name = key.removeprefix("train.")
        return section | {"train": section["train"] | {name: _off_values(TrainConfig)[name]}}
    return section | {key: _off_values(type(_parse(section)))[key]}


@pytest.fixture
def fingerprint_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The fingerprint of a model's first training, on data that are the same for all."""
    monkeypatch.setattr(run_spec, "list_fingerprint_inputs", lambda model: [])
    monkeypatch.setattr(run_spec, "compute_source_digest", lambda: "code")
    return lambda section: make_training_runs("name", _parse(section), 0)[0].identify("data", {}, {}).key


@pytest.mark.parametrize(("architecture", "key"), _cases())
def test_a_model_without_the_key_is_the_model_with_its_off_value(
    architecture: str, key: str, repository: Path, fingerprint_of: Any
) -> None:
    short = _shortest_models(repository)[architecture]
    explicit = _with(short, key, architecture)
    assert explicit != short or key == "steps"
    assert _parse(explicit) == _parse(short)
    assert _parse(explicit).model_dump() == _parse(short).model_dump()
    assert fingerprint_of(explicit) == fingerprint_of(short)


@pytest.mark.parametrize("architecture", ["mlp", "cnn", "speednet", "transfer", "recurrent"])
def test_a_network_without_the_keys_is_the_network_with_their_off_values(architecture: str, repository: Path) -> None:
    short = _shortest_models(repository)[architecture]
    full = short | _off_values(type(_parse(short)))
    networks = []
    for section in (short, full):
        torch.manual_seed(0)
        settings, shape = architecture_config(_parse(section)), INPUT_SHAPES.get(architecture, [32, 32, 3])
        networks.append(build_model(architecture, settings, shape, 10))
    states = [network.state_dict() for network in networks]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_class_weights_of_lbfgs_may_be_left_out(repository: Path, fingerprint_of: Any) -> None:
    params = parse_file(repository / "params.yaml", safe_load)
    short = params["models"]["cats_dogs-efficientnet_lite0"]
    assert "class_weights" not in short["train"]
    assert fingerprint_of(short) == fingerprint_of(short | {"train": short["train"] | {"class_weights": "none"}})


@pytest.mark.parametrize("architecture", ["mlp", "cnn", "transfer", "recurrent"])
def test_a_checkpoint_without_a_later_key_builds_the_network_without_it(architecture: str, repository: Path) -> None:
    config = type(_parse(_shortest_models(repository)[architecture]))
    settings = architecture_config(_parse(_shortest_models(repository)[architecture]))
    older = {key: value for key, value in settings.items() if key not in _off_values(config)}
    assert older != settings
    shape, states = INPUT_SHAPES.get(architecture, [32, 32, 3]), []
    for checkpoint_settings in (settings, older):
        torch.manual_seed(0)
        states.append(build_model(architecture, checkpoint_settings, shape, 10).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


def test_another_value_gives_another_fingerprint(repository: Path, fingerprint_of: Any) -> None:
    short = _shortest_models(repository)["mlp"]
    others = [
        short | {"dropout": 0.1}, short | {"fraction": 0.5}, short | {"initialization": "zeros"},
        *(short | {"train": short["train"] | {name: value}} for name, value in {"mixup": 0.2, "patience": 3}.items()),
    ]  # fmt: skip
    assert len({fingerprint_of(section) for section in [short, *others]}) == 6


def test_only_the_fingerprint_is_of_the_short_form(repository: Path, fingerprint_of: Any) -> None:
    short = _shortest_models(repository)["mlp"]
    identity = make_training_runs("name", _parse(short), 0)[0].identify("data", {}, {})
    assert identity.settings["model"]["train"]["mixup"] == 0.0
    assert identity.settings["model"]["dropout"] == 0.0


def test_a_key_that_the_schema_gets_later_changes_no_fingerprint(repository: Path, fingerprint_of: Any) -> None:
    class Later(type(_parse(_shortest_models(repository)["mlp"]))):  # type: ignore[misc]
        new_knob: float = 0.0

    short = _shortest_models(repository)["mlp"]
    (run,) = make_training_runs("name", Later.model_validate(short), 0)
    assert run.identify("data", {}, {}).key == fingerprint_of(short)


@pytest.mark.parametrize("key", _off_values(PolicyConfig))
def test_a_policy_without_the_key_is_the_policy_with_its_off_value(key: str, repository: Path) -> None:
    policies = parse_file(repository / "params.yaml", safe_load)["policies"]
    for name, policy in policies.items():
        short = {other: value for other, value in policy.items() if other != key}
        explicit = short | {key: _off_values(PolicyConfig)[key]}
        first, second = (resolve_policy(name, PolicyConfig.model_validate(section)) for section in (short, explicit))
        assert json.dumps(first) == json.dumps(second)
        pixels, rows = torch.arange(2 * 8 * 8 * 3, dtype=torch.uint8).reshape(2, 8, 8, 3), torch.arange(2)
        batches = [
            AugmentationPolicy.model_validate(content).apply(pixels, rows, seed=0, epoch=1, step=1)
            for content in (first, second)
        ]
        assert torch.equal(*batches)


def test_a_policy_with_nothing_but_what_it_must_say_does_nothing() -> None:
    style = {"backbone": "none", "pictures": "data/catalog/styles.yaml"}
    policy = PolicyConfig.model_validate({"dataset": "mnist", "style": style, "fill": "zeros"})
    assert resolve_policy("nothing", policy)["steps"] == {}


def test_views_of_features_and_of_tests_may_be_left_out() -> None:
    section = {"dataset": "a", "backbone": "b", "augmentation": "none", "batch_size": 4}
    assert FeaturesConfig.model_validate(section) == FeaturesConfig.model_validate(section | {"views": 1})
    section = {"bins": 15, "worst": 24}
    assert EvaluateConfig.model_validate(section) == EvaluateConfig.model_validate(section | {"tta": {}})


def test_a_style_that_is_on_needs_its_strength(repository: Path) -> None:
    params = parse_file(repository / "params.yaml", safe_load)
    params["policies"]["mnist-shift"]["style"]["probability"] = 0.5
    assert list_validation_errors_in(params) == [
        "policies.mnist-shift.style.strength is missing: a style needs a range, such as [0.5, 1.0]"
    ]


def _names_in(text: str) -> Iterator[tuple[str, str]]:
    """Section and key of what a dvc.yaml looks up in an entry of params.yaml, or declares singly."""
    for stage in re.split(r"\n(?=  \w+:\n)", text):
        if match := re.search(r"foreach: \$\{(\w+)\}", stage):
            section = match[1]
            yield from ((section, key) for key in re.findall(r"\$\{item\.([\w.]+)\}", stage))
            yield from ((section, key) for key in re.findall(rf"- {section}\.\$\{{key\}}\.([\w.]+)", stage))
        yield from (("", key) for key in re.findall(r"\n      - ([a-z_]+(?:\.[a-z_]+)*)(?=\n)", stage))


def test_every_key_that_dvc_looks_up_is_required(repository: Path) -> None:
    """Without one, DVC parses no stage at all."""
    looked_up = set(_names_in((repository / "dvc.yaml").read_text()))
    assert looked_up == {
        *(("datasets", key) for key in ("kind", "path", "source", "prepare")),
        *(("policies", key) for key in ("dataset", "style.backbone", "style.pictures")),
        *(("features", key) for key in ("dataset", "backbone", "augmentation")),
        *(("generators", key) for key in ("dataset", "fraction", "per_class", "grader", "gan")),
        *(("models", key) for key in ("dataset", "inputs", "architecture", "augmentation", "synthetic", "weights")),
        *(("", key) for key in ("seed", "device", "precision", "threads", "deterministic", "devices", "data.limit")),
        *(("", key) for key in ("evaluate", "export")),
    }
    params = parse_file(repository / "params.yaml", safe_load)
    for section, key in looked_up:
        for entry in list(params[section])[:1] if section else [""]:
            *parents, last = [part for part in (section, entry, *key.split(".")) if part]
            changed = json.loads(json.dumps(params))
            place = changed
            for part in parents:
                place = place[part]
            del place[last]
            assert [line for line in list_validation_errors_in(changed) if line.endswith(" is missing")], (section, key)


def test_effective_values_of_a_short_and_of_a_full_file_are_equal(repository: Path) -> None:
    short = parse_file(repository / "params.yaml", safe_load)
    full = fill_defaults(short)
    assert list_validation_errors_in(full) == []
    assert fill_defaults(full) == full
    assert Params.model_validate(full) == Params.model_validate(short)
    for name, model in short["models"].items():
        assert fill_defaults_at(f"models.{name}", model) == full["models"][name]
    assert fill_defaults_at("models.mnist-mlp.dataset", "mnist") == "mnist"


def test_effective_values_of_a_file_of_another_version_are_left_alone() -> None:
    content = {"models": {"old": {"architecture": "gone", "x": 1}}, "policies": {"p": {"new": {"a": 1}}}, "other": [1]}
    filled = fill_defaults(content)
    assert filled["models"] == content["models"]
    assert filled["policies"]["p"]["new"] == {"a": 1}
    assert filled["other"] == [1]
    assert fill_defaults_at("nothing.of.this", 3) == 3


def test_explain_tells_every_value_and_which_are_off(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    rows = {row.key: row for row in explain_section("models.mnist-logistic")}
    (model,) = load_params("models.mnist-logistic")
    assert len(rows) == 14 + len(TrainConfig.model_fields)
    assert (rows["train.lr"].value, rows["train.lr"].is_left_out) == (0.002, False)
    assert (rows["train.mixup"].value, rows["train.mixup"].is_left_out) == (0.0, True)
    assert all(row.meaning for row in rows.values())
    lines = format_explanation(list(rows.values()))
    assert "train.mixup            0.0 (off)       alpha of mixup, 0: none" in lines
    assert [row.value for row in explain_section("seed")] == [0]
    assert model.train.mixup == 0.0
