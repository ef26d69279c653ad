"""Explain a section of `params.yaml`: every effective value with its meaning."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vision_pipeline.config.load import load_params


class ExplainedKey(NamedTuple):
    """One key of a section.

    Attributes:
        key: dotted, below the section; empty where a single value was asked for.
        value: its effective value.
        is_left_out: whether the file leaves it out, so that it is off.
        meaning: the schema's description; empty where it has none.
    """

    key: str
    value: Any
    is_left_out: bool
    meaning: str


def explain_section(key: str) -> list[ExplainedKey]:
    """Return every key of a section of params.yaml, also those that the file leaves out.

    Args:
        key: dotted, such as `models.mnist-mlp`, or a single value such as `seed`.

    Raises:
        ConfigError: params.yaml is not valid or has no such key.
    """
    (value,) = load_params(key)
    return list(_explain(value, "", "", is_left_out=False))


def format_explanation(rows: list[ExplainedKey]) -> list[str]:
    """Return one aligned line for each key: key, value, meaning; a value that is off because it is left out says so."""
    values = [f"{_to_yaml(row.value)} (off)" if row.is_left_out else _to_yaml(row.value) for row in rows]
    key_width, value_width = max(len(row.key) for row in rows), min(32, max(map(len, values)))
    return [
        f"{row.key:{key_width}}  {value:{value_width}}  {row.meaning}".rstrip()
        for row, value in zip(rows, values, strict=True)
    ]


def _to_yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _explain(value: Any, key: str, meaning: str, *, is_left_out: bool) -> Iterator[ExplainedKey]:
    if isinstance(value, BaseModel):
        for name, field in _order_fields(value):
            yield from _explain(
                getattr(value, name), f"{key}.{name}".lstrip("."), field.description or "",
                is_left_out=is_left_out or name not in value.model_fields_set,
            )  # fmt: skip
    elif isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _explain(item, f"{key}.{name}".lstrip("."), meaning, is_left_out=is_left_out)
    else:
        yield ExplainedKey(key, value, is_left_out, meaning)


def _order_fields(section: BaseModel) -> list[tuple[str, FieldInfo]]:
    """Return a section's fields as people write them: plain values first, sections such as `train` last."""
    fields = type(section).model_fields.items()
    return sorted(fields, key=lambda field: isinstance(getattr(section, field[0]), BaseModel))
