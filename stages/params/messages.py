"""One plain line for each thing that breaks the schema: the key's path, its value, what is allowed."""

import reprlib
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from stages.params.fields import did_you_mean
from stages.params.schema import Params

_NAMES = "1 to 64 letters, digits, _ and -, the first one a letter or a digit"
_LONGEST = 64  # letters of a key that are shown, as many as a name may have
_SECTION_TYPES = ("model_type", "model_attributes_type", "dict_type")


def line(error: Any) -> str:
    """The message for one of pydantic's error details."""
    where, kind = [str(part) for part in error["loc"]], error["type"]
    key, shown = _key(where), _shown(error["input"])
    if kind == "missing":
        return f"{key} is missing"
    if kind == "extra_forbidden":
        return f"{key}: unknown key {_shown(where[-1])}; {did_you_mean(where[-1], _keys_beside(where))}"
    if kind == "union_tag_not_found":
        return f"{key}.{_choice(error)} is missing"
    if kind == "union_tag_invalid":
        tags = [tag.strip(" '") for tag in error["ctx"]["expected_tags"].split(",")]
        return f"{key}.{_choice(error)} is {_shown(error['ctx']['tag'])}; {did_you_mean(error['ctx']['tag'], tags)}"
    if kind in _SECTION_TYPES:
        return f"{key} is {'empty' if error['input'] is None else shown}; allowed: a section of `key: value` lines"
    if where[-1:] == ["[key]"]:  # the path holds the name, then this mark
        return f"{_key(where[:-2])}: the name {shown} is not allowed; allowed: {_allowed(error)}"
    if kind == "invalid_key":
        return f"{_key(where[:-1])}: the name {shown} is not allowed; allowed: {_allowed(error)}"
    return f"{key} is {shown}; allowed: {_allowed(error)}"


def _allowed(error: Any) -> str:
    if error["type"] in ("string_pattern_mismatch", "invalid_key"):
        return _NAMES
    return str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")


def _choice(error: Any) -> str:
    """The key that decides which section stands there: a model's architecture, a training's optimizer."""
    return str(error["ctx"]["discriminator"]).strip("'")


def _key(where: list[str]) -> str:
    """The dotted path on one line, without the architecture, the optimizer and the kind that pydantic puts into it."""
    parts = (part if len(part) <= _LONGEST else f"{part[: _LONGEST - 3]}..." for part in _without_tag(where))
    return ".".join(part if part.isprintable() else ascii(part) for part in parts) or "the file"


def _without_tag(where: list[str]) -> list[str]:
    if where[:1] not in (["models"], ["datasets"]) or len(where) < 3 or where[2] == "[key]":
        return where
    untagged = where[:2] + where[3:]
    tagged_inside = where[3:4] == ["train"] or where[2:4] == ["catalog", "prepare"]
    return untagged[:3] + untagged[4:] if tagged_inside else untagged


def _shown(value: object) -> str:
    try:
        text = reprlib.repr(value)  # bounded, also for values that hold each other
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def _keys_beside(where: list[str]) -> list[str]:
    """The keys that may stand in the section of an unknown one."""
    section: Any = Params
    for part in where[:-1]:
        section = _inside(section, part)
    return list(section.model_fields)


def _inside(kind: Any, part: str) -> Any:
    """The type of what lies under `part`: a field or a name of a section, or the member of a union by its tag."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_fields[part].annotation
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return next(member for member, tags in _members(kind) if part in tags)


def _members(union: Any) -> Iterator[tuple[type[BaseModel], tuple[Any, ...]]]:
    """The sections of a union, each with the tags that choose it."""
    for member in get_args(union if get_origin(union) in (Union, UnionType) else get_args(union)[0]):
        if get_origin(member) is Annotated:
            section, tag = get_args(member)
            yield section, (tag.tag,)
        else:
            choice = next(key for key in ("architecture", "optimizer", "kind") if key in member.model_fields)
            yield member, get_args(member.model_fields[choice].annotation)
