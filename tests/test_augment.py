"""The augment stage on a small prepared data set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from stages.augment import main
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.data.format import create_memmap, open_dataset, write_info, write_targets

_ROWS = {"train": 6, "val": 2, "test": 3}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A folder with params.yaml and a tiny MNIST."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((repository / "params.yaml").read_text())
    folder = tmp_path / "data" / "prepared" / "mnist"
    random = np.random.default_rng(0)
    for split, rows in _ROWS.items():
        create_memmap(folder, split, num_rows=rows, shape=[28, 28, 1], kind="images")[:] = random.integers(
            0, 256, (rows, 28, 28, 1)
        )
        write_targets(folder, split, np.arange(rows) % 2)
        lines = [f"{split}{row},row:{row}\n" for row in range(rows)]
        (folder / split / "rows.csv").write_text("hash,name\n" + "".join(lines))
    write_info(folder, "images", ["0", "1"], mean=[0.5], std=[0.2], provenance={"name": "mnist", "status": "official"})
    return tmp_path


def _change(**values: Any) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml"))
    params["policies"]["mnist-shift"].update(values)
    yaml.dump(params, Path("params.yaml"))


def test_what_it_writes(project: Path) -> None:
    main("mnist-shift")
    folder = project / "data" / "augmented" / "mnist-shift"
    assert sorted(path.name for path in folder.iterdir()) == ["policy.json", "preview.png", "views"]
    policy = json.loads((folder / "policy.json").read_text())
    assert (policy["name"], policy["dataset"]) == ("mnist-shift", "mnist")
    assert list(policy["steps"]) == ["rotate", "scale", "translate", "fill"]
    assert (folder / "views").is_dir() and not list((folder / "views").iterdir())


def test_a_second_run_writes_the_same_bytes(project: Path) -> None:
    _change(views=1)
    main("mnist-shift")
    files = sorted(path for path in Path("data/augmented").rglob("*") if path.is_file())
    before = [sha256_file(path) for path in files]
    main("mnist-shift")
    assert [sha256_file(path) for path in files] == before
    assert len(files) == 12


def test_views_are_a_data_set_of_augmented_copies(project: Path) -> None:
    _change(views=2)
    main("mnist-shift")
    prepared, copies = open_dataset(Path("data/prepared/mnist")), open_dataset(Path("data/augmented/mnist-shift/views"))
    assert copies.info.counts == {"train": {"0": 6, "1": 6}, "val": {"0": 1, "1": 1}, "test": {"0": 2, "1": 1}}
    assert copies.targets("train").tolist() == [0, 1, 0, 1, 0, 1] * 2
    for split in ("val", "test"):
        assert np.array_equal(copies.inputs(split), prepared.inputs(split))
    first, second = copies.inputs("train")[:6], copies.inputs("train")[6:]
    assert not np.array_equal(first, prepared.inputs("train")) and not np.array_equal(first, second)
    unit = copies.inputs("train") / 255
    assert copies.info.mean == pytest.approx([unit.mean()]) and copies.info.std == pytest.approx([unit.std()])
    rows = (copies.folder / "train" / "rows.csv").read_text().splitlines()
    assert rows[0] == "hash,name" and rows[1:7] == rows[7:13] and len(rows) == 13


def test_fewer_views_leave_nothing_of_the_old_ones(project: Path) -> None:
    _change(views=1)
    main("mnist-shift")
    _change(views=0)
    main("mnist-shift")
    assert not list(Path("data/augmented/mnist-shift/views").iterdir())


def test_the_number_of_views_does_not_change_what_training_depends_on(project: Path) -> None:
    main("mnist-shift")
    before = sha256_file(Path("data/augmented/mnist-shift/policy.json"))
    _change(views=1)
    main("mnist-shift")
    assert sha256_file(Path("data/augmented/mnist-shift/policy.json")) == before


def test_an_unknown_policy_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"no policies\.mnist-shft; did you mean 'mnist-shift'"):
        main("mnist-shft")


def test_a_data_set_that_is_not_prepared_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match=r"data/prepared/cifar10/dataset\.json is missing"):
        main("cifar10-flip-rotate")
