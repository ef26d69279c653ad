"""Format what breaks the schema, one plain line each: the key's path, its value, what is allowed."""

import reprlib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.schema import Params

_NAME_RULE = "1 to 64 letters, digits, _ and -, the first one a letter or a digit"
_MAX_KEY_LETTERS = 64  # letters of a key that are shown, as many as a name may have
DISCRIMINATORS = ("architecture", "optimizer", "kind")  # keys that choose the schema of their section
_SECTION_TYPES = ("model_type", "model_attributes_type", "dict_type")


def format_validation_error(error: Any) -> str:
    """Return the message for one of pydantic's error details."""
    location, error_type = [str(part) for part in error["loc"]], error["type"]
    key, value = _format_key(location), _format_value(error["input"])
    if error_type == "missing":
        return f"{key} is missing"
    if error_type == "extra_forbidden":
        hint = did_you_mean(location[-1], _list_sibling_keys(location))
        return f"{key}: unknown key {_format_value(location[-1])}; {hint}"
    if error_type == "union_tag_not_found":
        return f"{key}.{_get_discriminator(error)} is missing"
    if error_type == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in error["ctx"]["expected_tags"].split(",")]
        tag = error["ctx"]["tag"]
        return f"{key}.{_get_discriminator(error)} is {_format_value(tag)}; {did_you_mean(tag, tags)}"
    if error_type in _SECTION_TYPES:
        return f"{key} is {'empty' if error['input'] is None else value}; allowed: a section of `key: value` lines"
    if location[-1:] == ["[key]"]:  # the path holds the name, then this mark
        return f"{_format_key(location[:-2])}: the name {value} is not allowed; allowed: {_describe_allowed(error)}"
    if error_type == "invalid_key":
        return f"{_format_key(location[:-1])}: the name {value} is not allowed; allowed: {_describe_allowed(error)}"
    return f"{key} is {value}; allowed: {_describe_allowed(error)}"


def _describe_allowed(error: Any) -> str:
    if error["type"] in ("string_pattern_mismatch", "invalid_key"):
        return _NAME_RULE
    return str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")


def _get_discriminator(error: Any) -> str:
    """Return the key that decides which section stands there: a model's architecture, a training's optimizer."""
    return str(error["ctx"]["discriminator"]).strip("'")


def _format_key(location: list[str]) -> str:
    """Return the dotted path on one line, without the architecture, optimizer and kind that pydantic puts into it."""
    parts = (
        part if len(part) <= _MAX_KEY_LETTERS else f"{part[: _MAX_KEY_LETTERS - 3]}..." for part in _drop_tags(location)
    )
    return ".".join(part if part.isprintable() else ascii(part) for part in parts) or "the file"


def _drop_tags(location: list[str]) -> list[str]:
    if location[:1] not in (["models"], ["datasets"]) or len(location) < 3 or location[2] == "[key]":
        return location
    untagged = location[:2] + location[3:]
    has_inner_tag = location[3:4] == ["train"] or location[2:4] == ["catalog", "prepare"]
    return untagged[:3] + untagged[4:] if has_inner_tag else untagged


def _format_value(value: object) -> str:
    try:
        text = reprlib.repr(value)  # bounded, also for values that hold each other
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def _list_sibling_keys(location: list[str]) -> list[str]:
    """Return the keys that may stand in the section of an unknown one."""
    section: Any = Params
    for part in location[:-1]:
        section = get_member_type(section, part)
    return list(section.model_fields)


def get_member_type(section_type: Any, part: str) -> Any:
    """Return the type below `part`: of a field or a name of a section, or the member of a union by its tag."""
    if isinstance(section_type, type) and issubclass(section_type, BaseModel):
        return section_type.model_fields[part].annotation
    if get_origin(section_type) is dict:
        return get_args(section_type)[1]
    return next(member for member, tags in iter_union_members(section_type) if part in tags)


def iter_union_members(union: Any) -> Iterator[tuple[type[BaseModel], tuple[Any, ...]]]:
    """Yield the sections of a union, each with the tags that choose it."""
    for member in get_args(union if get_origin(union) in (Union, UnionType) else get_args(union)[0]):
        if get_origin(member) is Annotated:
            section, tag = get_args(member)
            yield section, (tag.tag,)
        else:
            discriminator = next(key for key in DISCRIMINATORS if key in member.model_fields)
            yield member, get_args(member.model_fields[discriminator].annotation)
