"""Reading the file: whatever it holds, the answer is values or a clear refusal."""

import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from vision_pipeline.config.load import list_validation_errors, load_params
from vision_pipeline.config.schema import Params
from vision_pipeline.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PARAMS = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def test_values_come_in_the_order_of_the_keys() -> None:
    model, seed, lr = load_params("models.mnist-mlp", "seed", "models.mnist-mlp.train.lr", path=ROOT / "params.yaml")
    assert (seed, lr, model.hidden) == (0, 0.003, [128, 64])


def test_results_are_repeatable_unless_somebody_asks_otherwise() -> None:
    assert load_params("deterministic", path=ROOT / "params.yaml") == (True,)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("models.mnist-mpl", r"has no models\.mnist-mpl; did you mean 'mnist-mlp'\?"),
        ("models.mnist-mlp.train.rate", r"has no models\.mnist-mlp\.train\.rate; allowed: batch_size"),
        ("seed.x", r"has no seed\.x; allowed: none"),
    ],
)
def test_a_key_that_is_not_there_is_refused(key: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_params(key, path=ROOT / "params.yaml")


def test_an_invalid_file_gives_out_nothing(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text().replace("bins: 15 ", "bins: 1 ").replace("worst: 24 ", "worst: no ")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(UserError) as refused:
        load_params("seed", path=tmp_path / "params.yaml")
    assert "evaluate.bins is 1; allowed: greater than or equal to 2\n  evaluate.worst is 'no'" in str(refused.value)


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    """YAML 1.2: `1e-3` is a number, which it is not in YAML 1.1."""
    text = (ROOT / "params.yaml").read_text().replace("lr: 0.002", "lr: 1e-3")
    (tmp_path / "params.yaml").write_text(text)
    assert load_params("models.mnist-logistic.train.lr", path=tmp_path / "params.yaml") == (0.001,)


def test_anchors_and_merges_are_yaml_like_any_other(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    block = "\nmodels:\n"
    text = text.replace(block, block + "  mnist-copy: &copy\n    <<: &all {dropout: 0.0, batch_norm: false}\n", 1)
    settings = "architecture: mlp, dataset: mnist, inputs: prepared/mnist, fraction: 1.0, augmentation: none"
    settings += ", synthetic: none"
    train = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")["models"]["mnist-mlp"]["train"]
    lines = "".join(f"    {pair.strip()}\n" for pair in settings.split(","))
    lines += "    weights: none\n    seeds: []\n    initialization: default\n"
    lines += "    normalize: standard\n    hidden: []\n    activation: relu\n    train:\n"
    lines += "".join(f"      {key}: {str(value).lower()}\n" for key, value in train.items())
    merge = "    <<: &all {dropout: 0.0, batch_norm: false}\n"
    (tmp_path / "params.yaml").write_text(text.replace(merge, merge + lines, 1))
    assert list_validation_errors(tmp_path / "params.yaml") == []
    assert load_params("models.mnist-copy.dropout", path=tmp_path / "params.yaml") == (0.0,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed: 0\nseed: 1\n", 'line 2: found duplicate key "seed"'),
        (bytes(range(256)), "is not a text file"),
        ("seed: 0".encode("utf-16"), "is not a text file"),
        (b"seed: \0", "is not valid YAML"),
        (b"seed: [1\n", "is not valid YAML: line 2"),
        (b"seed: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        (b"a: 1\n---\nb: 2\n", "another document"),
        (b"seed: " + b"9" * 5000, "is not valid YAML"),
        (b"{a: " * 3000 + b"1" + b"}" * 3000, "nested too deeply"),
        (b"? {a: 1}\n: 2\n", "unhashable key"),
    ],
)
def test_what_is_not_yaml_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message):
        list_validation_errors(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "the file is empty; allowed: a section of `key: value` lines"),
        (b"# nothing\n", "the file is empty; allowed: a section of `key: value` lines"),
        (b"[1, 2]", "the file is [1, 2]; allowed: a section of `key: value` lines"),
        (b"hello", "the file is 'hello'; allowed: a section of `key: value` lines"),
        (b"seed: &a [*a]", "seed is [[[[[[[...]]]]]]]; allowed: a valid integer"),
        (b"seed: 0x" + b"f" * 5000, "seed is a number of thousands of digits; allowed: less than 4294967296"),
        (b"5: 6", "the file: the name 5 is not allowed; allowed: 1 to 64 letters, digits, _ and -, "),
    ],
)
def test_what_is_yaml_but_no_params_is_refused(content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    assert any(one.startswith(line) for one in list_validation_errors(tmp_path / "params.yaml"))


def test_lists_that_grow_exponentially_are_answered_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    (tmp_path / "params.yaml").write_text("\n".join([*lines, "seed: *a8"]))
    with pytest.raises(UserError, match=r"with its aliases it has [\d,]+ values; allowed: 100,000"):
        list_validation_errors(tmp_path / "params.yaml")


def test_of_lists_that_stay_below_the_limit_a_line_shows_the_beginning(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 4)]
    (tmp_path / "params.yaml").write_text("\n".join([*lines, "seed: *a3"]))
    (line,) = [line for line in list_validation_errors(tmp_path / "params.yaml") if line.startswith("seed")]
    assert len(line) < 150


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is missing; run from the repository's root"):
        list_validation_errors(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        list_validation_errors(tmp_path)


def _leaves(section: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = section.items() if isinstance(section, dict) else enumerate(section) if isinstance(section, list) else ()
    return [path, *(leaf for key, value in items for leaf in _leaves(value, (*path, key)))]


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
_EXTREME = st.sampled_from([0, -1, 1, 2**31, 2**63, 10**400, -(10**400), 1e308, -1e308, 5e-324, "", "none", "\0", []])


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_is_put_in_the_answer_is_a_list_of_lines(data: st.DataObject) -> None:
    """The schema itself, without the file: any value may stand anywhere, be missing, or be added."""
    params = copy.deepcopy(PARAMS)
    for _ in range(data.draw(st.integers(1, 3))):
        _mutate(params, data)
    lines = _problems_of(params)
    assert all(isinstance(line, str) and line for line in lines)
    if not lines:
        assert Params.model_validate(params)


def _mutate(params: Any, data: st.DataObject) -> None:
    *sections, last = data.draw(st.sampled_from([path for path in _leaves(params) if path]))
    section = params
    for key in sections:
        section = section[key]
    what = data.draw(st.sampled_from(["junk", "extreme", "delete", "add", "copy"]))
    if what == "junk":
        section[last] = data.draw(_JUNK)
    elif what == "extreme":
        section[last] = data.draw(_EXTREME)
    elif what == "delete":
        del section[last]
    elif what == "add" and isinstance(section, dict):
        section[data.draw(st.text(max_size=6) | st.integers() | st.none())] = data.draw(_JUNK)
    else:
        section[last] = copy.deepcopy(data.draw(st.sampled_from(list(PARAMS.values()))))


def _problems_of(params: Any) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("vision_pipeline.config.load"), "parse_file", lambda *_: params)
        return list_validation_errors(Path("params.yaml"))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_answered(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        assert list_validation_errors(path)
    except UserError as refusal:
        assert str(path) in str(refusal)
