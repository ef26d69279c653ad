"""What params.yaml may say of texts and of sequences."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from vision_pipeline.config.data import PrepareCopyConfig, PrepareTextConfig
from vision_pipeline.config.load import list_validation_errors, load_params

Change = Callable[[Any], Any]
COPY = {"kind": "copy", "path": "data/catalog/copy.yaml", "source": "auto", "prepare": {"length": 20}}


def changed(repository: Path, folder: Path, change: Change) -> Path:
    params = YAML(typ="safe", pure=True).load(repository / "params.yaml")
    change(params)
    YAML(typ="safe", pure=True).dump(params, folder / "params.yaml")
    return folder / "params.yaml"


def _on(name: str, **values: Any) -> Change:
    return lambda params: params["models"][name].update(values)


def _set(name: str, **values: Any) -> Change:
    return lambda params: params["datasets"][name].update(values)


def _reading_copies(steps: int) -> Change:
    def change(params: Any) -> None:
        params["datasets"]["copy"] = COPY
        params["models"]["hello-elman"].update(dataset="copy", inputs="prepared/copy", steps=steps)

    return change


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _on("mnist-mlp", dataset="hello", inputs="prepared/hello"),
            "models.mnist-mlp.architecture is 'mlp', but 'hello' is a text; allowed: 'recurrent'",
        ),
        (
            _on("hello-elman", steps=0),
            "models.hello-elman.steps is 0; a text needs the number of symbols that the gradient goes back, such as 64",
        ),
        (
            _on("hello-elman", fraction=0.5),
            "models.hello-elman.fraction is 0.5, but a text is read from its start to its end, so: 1.0",
        ),
        (
            _on("hello-elman", synthetic="letters"),
            "models.hello-elman.synthetic is 'letters', but 'hello' is a text; a generator makes images",
        ),
        (_reading_copies(steps=4), "models.hello-elman.steps is 4, but only a text is read in steps, so: 0"),
        (
            lambda params: params["models"]["hello-elman"]["train"].update(mixup=0.2),
            "models.hello-elman.train.mixup is 0.2; symbols cannot be mixed, nor their steps compiled, so: 0",
        ),
        (
            lambda params: params["models"]["hello-elman"]["train"].update(compile=True),
            "models.hello-elman.train.compile is true; symbols cannot be mixed, nor their steps compiled, so: false",
        ),
        (
            lambda params: params["policies"]["mnist-shift"].update(dataset="hello"),
            "policies.mnist-shift.dataset is 'hello', a text; augmentation is for images",
        ),
        (
            lambda params: params["features"]["cats_dogs-densenet121"].update(dataset="hello"),
            "features.cats_dogs-densenet121.dataset is 'hello', a text; a backbone takes images",
        ),
        (
            lambda params: params["evaluate"]["tta"].update(hello="mirror"),
            "evaluate.tta names 'hello', a text; views are of images",
        ),
        (_set("hello", prepare={"validation": 0.0}), "datasets.hello.prepare.test is missing"),
        (
            _set("hello", prepare={"validation": 0.0, "test": 0.0, "size": 28}),
            "datasets.hello.prepare.size: unknown key 'size'; allowed: test, validation",
        ),
        (_set("hello", kind="folder"), "datasets.hello.prepare.size is missing"),
        (
            _set("mnist", prepare={"size": 28, "validation": 0.1, "test": 0.1}),
            "datasets.mnist.prepare.channels is missing",
        ),
        (_set("hello", kind="txt"), "datasets.hello.kind is 'txt'; did you mean 'text'?"),
        (
            _set("shakespeare", prepare={"validation": 0.6, "test": 0.6}),
            "datasets.shakespeare.prepare: validation and test are 1.2 together; allowed: less than 1",
        ),
        (
            lambda params: params["datasets"].update(copy={**COPY, "prepare": {"lenght": 20}}),
            "datasets.copy.prepare.lenght: unknown key 'lenght'; did you mean 'length'?",
        ),
    ],
)
def test_what_is_refused(change: Change, line: str, repository: Path, tmp_path: Path) -> None:
    assert line in list_validation_errors(changed(repository, tmp_path, change))


def test_a_problem_is_named_as_its_key_is_called(repository: Path, tmp_path: Path) -> None:
    change = _on("hello-elman", cell="elmann")
    (line,) = list_validation_errors(changed(repository, tmp_path, change))
    assert line == "models.hello-elman.cell is 'elmann'; allowed: 'elman', 'lstm', 'gru' or 'none'"


def test_what_is_allowed(repository: Path, tmp_path: Path) -> None:
    path = changed(repository, tmp_path, _reading_copies(steps=0))
    prepare = load_params(
        "datasets.copy.prepare", "datasets.shakespeare.prepare", "datasets.hello.prepare.test", path=path
    )
    assert prepare == (PrepareCopyConfig(length=20), PrepareTextConfig(validation=0.1, test=0.1), 0.0)
    on_images = _on("hello-elman", dataset="mnist", inputs="prepared/mnist", steps=0)
    assert list_validation_errors(changed(repository, tmp_path, on_images)) == []
