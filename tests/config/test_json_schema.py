"""The schema for editors is the one that the pipeline checks by."""

import json
from typing import Any

from vision_pipeline.config.json_schema import SCHEMA_FILE, render_json_schema


def test_it_is_current() -> None:
    assert SCHEMA_FILE.read_text() == render_json_schema(), "run `python -m vision_pipeline.config.json_schema`"


def test_params_yaml_names_it(repository: Any) -> None:
    first = (repository / "params.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema=./{SCHEMA_FILE.relative_to(repository)}"


def test_editors_get_types_ranges_and_words() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    rate = schema["$defs"]["TrainConfig"]["properties"]["lr"]
    assert (rate["exclusiveMinimum"], rate["maximum"]) == (0, 100)
    assert rate["description"] == "learning rate at its highest"
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["PolicyConfig"]["properties"]["hflip"]["description"] == "probability of a left-right flip"


def test_every_knob_says_what_it_is() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    silent = [
        f"{name}.{key}"
        for name, section in schema["$defs"].items()
        for key, knob in section["properties"].items()
        if not {"description", "$ref", "enum"} & set(knob)
    ]
    assert silent == []
