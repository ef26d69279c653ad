"""`params.yaml` explains itself: every knob has a short comment where it first appears."""

import re
from pathlib import Path

from vision_pipeline.config.data import PolicyConfig
from vision_pipeline.config.load import safe_load
from vision_pipeline.config.models import (
    CNNConfig,
    MLPConfig,
    ModelConfig,
    RecurrentConfig,
    TrainConfig,
    TransferConfig,
)

# a key, or one that is off and stands in a comment: `#    hflip: 0.0   # left and right exchanged`
_KEY = re.compile(r"^(?:#  )?\s*([A-Za-z0-9_-]+):")


def _knobs(text: str) -> dict[str, bool]:
    """Each key with a value, and whether its first line has a comment, or its section's line does."""
    commented: dict[str, bool] = {}
    heading: dict[int, bool] = {}
    for line in text.splitlines():
        if not (match := _KEY.match(line)):
            continue
        line = line.removeprefix("#")
        depth, has = len(line) - len(line.lstrip()), " #" in line
        value = line.split("#")[0].split(":", 1)[1].strip()
        heading = {level: said for level, said in heading.items() if level < depth}
        heading[depth] = has
        if value:
            commented.setdefault(match[1], has or any(said for level, said in heading.items() if level < depth))
    return commented


def test_every_knob_has_a_comment(repository: Path) -> None:
    text = (repository / "params.yaml").read_text()
    silent = {knob for knob, has in _knobs(text).items() if not has}
    assert silent == set()


def test_every_key_that_may_be_left_out_is_listed_with_its_off_value(repository: Path) -> None:
    text = (repository / "params.yaml").read_text()
    listed = dict(re.findall(r"^#\s+(\w+): (\S+) ", text, re.MULTILINE))
    models = (TrainConfig, ModelConfig, MLPConfig, CNNConfig, TransferConfig, RecurrentConfig, PolicyConfig)
    off_values = {
        name: field.get_default(call_default_factory=True)
        for model in models
        for name, field in model.model_fields.items()
        if not field.is_required() and name not in ("rotate", "scale", "translate", "noise")
    }
    assert {name: safe_load(listed[name]) for name in off_values} == off_values


def test_a_knob_without_a_comment_would_be_found() -> None:
    assert _knobs("a: 1 # said\nb: 2\nc: # said\n  d: 3\ne:\n  a: 4\n  f: 5\n") == {
        "a": True,
        "b": False,
        "d": True,
        "f": False,
    }
