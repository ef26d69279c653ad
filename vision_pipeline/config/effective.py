"""Fill in the off values of keys that a file leaves out, so that settings of different files can be compared.

Unlike the schema it refuses nothing: files of older commits may lack keys that are required today, or have others.
"""

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from vision_pipeline.config.messages import DISCRIMINATORS, get_member_type, iter_union_members
from vision_pipeline.config.schema import Params


def fill_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a params.yaml with every key that it leaves out and that has an off value."""
    filled: dict[str, Any] = _fill(Params, content)
    return filled


def fill_defaults_at(key: str, value: Any) -> Any:
    """Return the value at a dotted key of params.yaml with every key that it leaves out and that has an off value."""
    section: Any = Params
    try:
        for part in key.split("."):
            section = get_member_type(section, part)
    except (KeyError, StopIteration, AttributeError, IndexError):  # a key of another version, or inside a union
        return value
    return _fill(section, value)


def _fill(section: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if get_origin(section) is dict:
        return {name: _fill(get_args(section)[1], item) for name, item in value.items()}
    model = _choose_model(section, value)
    if model is None:
        return value
    off_values = {
        name: _to_plain(field.get_default(call_default_factory=True))
        for name, field in model.model_fields.items()
        if not field.is_required() and name not in value
    }
    fields = model.model_fields
    return {name: _fill(fields[name].annotation, item) if name in fields else item for name, item in value.items()} | (
        off_values
    )


def _choose_model(section: Any, value: dict[str, Any]) -> type[BaseModel] | None:
    """Return the schema of a section, of a union the member that the section's own keys choose."""
    if isinstance(section, type):
        return section if issubclass(section, BaseModel) else None
    for member, tags in iter_union_members(section):
        if any(value.get(key) in tags for key in DISCRIMINATORS):
            return member
    return None


def _to_plain(default: Any) -> Any:
    return default.model_dump() if isinstance(default, BaseModel) else default
