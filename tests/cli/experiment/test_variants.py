"""Experiments as files: the models that they expand to, and errors that are found before anything starts."""

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from vision_pipeline.cli import main as console
from vision_pipeline.cli.experiment.variants import EXPERIMENTS, expand_variants, read_experiment
from vision_pipeline.config.load import safe_load
from vision_pipeline.config.named_files import list_names
from vision_pipeline.core.errors import UserError

NAMES = [
    "batch-norm", "copy-task", "course-batch-norm", "course-cifar10", "course-mnist-mlp", "course-mnist-seed",
    "data-augmentation", "depth-activation", "dropout", "gan", "hello", "initialization",
    "mlp-cnn", "shallow-deep", "style",
]  # fmt: skip
TINY: dict[str, Any] = {
    "about": "A comparison",
    "base": "mnist-mlp",
    "set": {"train.epochs": 2},
    "vary": {
        "depth": {"1": {"hidden": [8]}, "2": {"hidden": [8, 8]}},
        "rate": {"low": {"train.lr": 0.01}, "as-is": {}},
    },
    "seeds": [0, 1],
    "figure": {"x": "depth", "y": "accuracy", "lines": "rate"},
}


def params() -> dict[str, Any]:
    return safe_load(Path("params.yaml").read_text())


def write(**changes: Any) -> None:
    YAML().dump(TINY | changes, Path("experiments/tiny.yaml"))


def test_they_are_listed_with_what_they_are_about(project: Path) -> None:
    result = CliRunner().invoke(console.app, ["experiment"])
    assert [line.split()[0] for line in result.stdout.splitlines()] == NAMES == list_names(EXPERIMENTS)


@pytest.mark.parametrize("name", NAMES)
def test_each_gives_valid_params(project: Path, name: str) -> None:
    experiment = read_experiment(name)
    changed, variants = expand_variants(name, experiment, params())
    assert list(changed["models"]) == [variant.name for variant in variants]
    assert len(variants) >= 2


def test_depth_activation_is_each_depth_with_each_activation(project: Path) -> None:
    _, variants = expand_variants("depth-activation", read_experiment("depth-activation"), params())
    seen = {(len(variant.model["hidden"]), variant.model["activation"]) for variant in variants}
    assert seen == {(depth, kind) for depth in range(1, 7) for kind in ("sigmoid", "tanh", "relu", "leaky_relu")}
    assert {variant.levels["depth"] for variant in variants} == set("123456")


def test_shallow_and_deep_have_the_same_number_of_parameters_within_a_hundredth(project: Path) -> None:
    _, variants = expand_variants("shallow-deep", read_experiment("shallow-deep"), params())
    counts = []
    for variant in variants:
        sizes = [784, *variant.model["hidden"], 10]
        counts.append(sum((before + 1) * after for before, after in pairwise(sizes)))
    assert counts[0] == 101_770
    assert max(abs(count - counts[0]) for count in counts) < 0.01 * counts[0]


def test_every_combination_is_a_model_that_differs_from_the_base_as_it_says(project: Path) -> None:
    write()
    before = params()
    kept = deepcopy(before)
    changed, variants = expand_variants("tiny", read_experiment("tiny"), before)
    assert before == kept
    assert list(changed["models"]) == ["tiny-1-low", "tiny-1-as-is", "tiny-2-low", "tiny-2-as-is"]
    base = before["models"]["mnist-mlp"]
    assert changed["models"]["tiny-2-low"] == base | {
        "seeds": [],  # the experiment has its own
        "hidden": [8, 8],
        "train": base["train"] | {"epochs": 2, "lr": 0.01},
    }
    assert variants[1].levels == {"depth": "1", "rate": "as-is"}
    assert {section for section in changed if changed[section] != before[section]} == {"models"}


def test_other_sections_are_merged_and_may_bring_the_base(project: Path) -> None:
    model = params()["models"]["mnist-mlp"] | {"hidden": [5]}
    write(base="mine", params={"data": {"limit": 100}, "models": {"mine": model}})
    changed, _ = expand_variants("tiny", read_experiment("tiny"), params())
    assert changed["data"]["limit"] == 100
    assert "mine" not in changed["models"]
    assert changed["models"]["tiny-1-low"]["normalize"] == model["normalize"]


def test_the_graders_of_generators_stay_among_the_models(project: Path) -> None:
    before = params()
    before["generators"] = {"mine": read_experiment("gan").params["generators"]["gan"] | {"grader": "mnist-cnn"}}
    write()
    changed, variants = expand_variants("tiny", read_experiment("tiny"), before)
    assert list(changed["models"]) == ["mnist-cnn", *(variant.name for variant in variants)]
    assert changed["generators"] == before["generators"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "mnist-mpl"}, r"experiments/tiny.yaml: base is 'mnist-mpl'; did you mean 'mnist-mlp'"),
        ({"set": {"train.epochs": 0}}, r"(?s)experiments/tiny.yaml is not valid.*models.tiny-1-low.train.epochs is 0"),
        ({"set": {"train.epoch": 2}}, r"(?s)experiments/tiny.yaml .*unknown key 'epoch'; did you mean 'epochs'"),
        ({"params": {"polices": {}}}, r"(?s)experiments/tiny.yaml .*unknown key 'polices'; did you mean 'policies'"),
        (
            {"figure": {"x": "dept", "y": "accuracy"}},
            r"experiments/tiny.yaml: figure.x is 'dept'; did you mean 'depth'",
        ),
        ({"figure": {"x": "depth", "y": "a", "lines": "r"}}, r"experiments/tiny.yaml: figure.lines is 'r'"),
        (
            {"reported": [{"variant": "2-lwo", "figure": "accuracy", "value": 0.9, "source": "a notebook"}]},
            r"(?s)experiments/tiny.yaml is not valid.*reported.variant is '2-lwo'; did you mean '2-low'",
        ),
        ({"seeds": []}, r"(?s)experiments/tiny.yaml is not valid.*seeds: .*at least 1 item"),
        ({"seeds": [0, 1, 0]}, r"(?s)experiments/tiny.yaml is not valid.*seeds: different seeds"),
        ({"seeds": [-1]}, r"(?s)experiments/tiny.yaml is not valid.*seeds.0: .*greater than or equal to 0"),
        ({"set": {"train.momentum.x": 1}}, r"(?s)experiments/tiny.yaml is not valid.*models.tiny-1-low.train.momentum"),
        ({"set": {"augmentation.0": 5}}, r"(?s)experiments/tiny.yaml is not valid.*models.tiny-1-low.augmentation"),
        ({"seed": [1]}, r"(?s)experiments/tiny.yaml is not valid.*seed: Extra inputs"),
        ({"vary": {}}, r"(?s)experiments/tiny.yaml is not valid.*vary: "),
        ({"vary": {"depth": {"0.5": {}}}}, r"(?s)experiments/tiny.yaml is not valid.*vary.depth.0.5"),
        (
            {"vary": {"depth": {"a-b": {}, "a": {}}, "rate": {"c": {}, "b-c": {}}}},
            r"(?s)experiments/tiny.yaml .*two combinations of levels have the same name",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_the_file_and_the_key(project: Path, changes: dict, message: str) -> None:
    write(**changes)
    with pytest.raises(UserError, match=message):
        expand_variants("tiny", read_experiment("tiny"), params())


def test_a_name_that_is_not_there_is_refused_with_the_nearest(project: Path) -> None:
    with pytest.raises(UserError, match=r"there is no experiments/dropouts.yaml; did you mean 'dropout'"):
        read_experiment("dropouts")


def test_elsewhere_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(console.app, ["experiment"])
    assert "there is no experiments/; run from the repository's root" in str(result.exception)


@pytest.mark.parametrize("wrong", [{"generators": None}, {"models": None}, {"models": {"m": {}}}, {"seed": "a"}])
def test_params_that_are_not_valid_are_refused_first(project: Path, wrong: dict) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is not valid"):
        expand_variants("dropout", read_experiment("dropout"), {**params(), **wrong})
