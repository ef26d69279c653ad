"""Values of params.yaml in the grammar of `dvc exp run --set-param`."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vision_pipeline.cli.pipeline.temp_experiment import to_hydra
from vision_pipeline.core.errors import UserError


def test_values_in_the_grammar_of_set_param() -> None:
    value = {"a-b": {"l": [1, 2.5], "e": [], "n": {}, "s": "data/x y", "t": True}, "f": 1e-05}
    assert to_hydra(value) == '{a-b:{l:[1,2.5],e:[],n:{},s:"data/x y",t:true},f:1e-05}'


@pytest.mark.parametrize(
    "text",
    ["data/Bücher", "a\\b", "a\nb", 'x"y', 'a\\"b', "end\\", "end\\\\", "", "1", "true", "${x}", "a:b,{c}", "it's"],
)
def test_a_text_comes_out_of_set_param_as_it_went_in(text: str) -> None:
    assert OverridesParser.create().parse_override(f"key={to_hydra({'a': [text]})}").value() == {"a": [text]}


@pytest.mark.parametrize("name", ["1", "1e3", "TRUE", "null", "nan", "1_0"])
def test_a_name_that_set_param_would_read_as_a_value_is_refused(name: str) -> None:
    assert OverridesParser.create().parse_override(f"key={{{name}:1}}").value() != {name: 1}
    with pytest.raises(UserError, match=f"'{name}' cannot be the name of anything in an experiment"):
        to_hydra({"models": {name: 1}})


@pytest.mark.parametrize("name", ["a1", "1a", "e3", "none", "trues", "1-2"])
def test_other_names_are_keys_as_they_are(name: str) -> None:
    assert OverridesParser.create().parse_override(f"key={to_hydra({name: 1})}").value() == {name: 1}
