"""Other values for params.yaml, section by section and by dotted keys."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.cli.param_overrides import apply_overrides, deep_merge
from vision_pipeline.config.load import safe_load

trees = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text(max_size=2), inner), max_leaves=8
)
sections = st.dictionaries(st.text(max_size=2), trees)


@given(sections, sections)
def test_after_a_merge_another_changes_nothing(params: dict, values: dict) -> None:
    deep_merge(params, values)
    assert deep_merge(params, values) == []


def test_values_are_set_by_dotted_key_in_a_copy(project: Path) -> None:
    model = safe_load(Path("params.yaml").read_text())["models"]["mnist-mlp"]
    changed = apply_overrides(model, {"train.lr": 0.5, "hidden": [8]})
    assert changed == model | {"hidden": [8], "train": model["train"] | {"lr": 0.5}}
    assert model["train"]["lr"] == 0.003
