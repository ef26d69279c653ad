"""Read `params.yaml`: validate all of it, hand out only the values that were asked for."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from stages.params.checks import cross_checks
from stages.params.schema import Params, did_you_mean
from stages.project.console import Refusal

PARAMS = Path("params.yaml")


def load(*keys: str, path: Path = PARAMS) -> tuple[Any, ...]:
    """Validate the whole file and return the values at the dotted `keys`, in their order.

    A stage names here exactly the keys that `dvc.yaml` declares for it; it can read no others.

    Raises:
        Refusal: the file is missing or breaks the schema (every problem is named), or has no such key.
    """
    params = _validated(path)
    return tuple(_value(params, key, path) for key in keys)


def problems(path: Path = PARAMS) -> list[str]:
    """Everything that is wrong with the file, one line each; empty when it is valid."""
    raw = _parse(path)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        return [_line(one) for one in error.errors()]
    return list(cross_checks(params))


def _validated(path: Path) -> Params:
    if wrong := problems(path):
        raise Refusal(f"{path} is not valid:\n" + "\n".join(f"  {line}" for line in wrong))
    return Params.model_validate(_parse(path))


def _parse(path: Path) -> Any:
    """YAML 1.2, as DVC reads it (`1e-3` is a number, `no` is a word); a key given twice is refused."""
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise Refusal(f"{path} is missing; run from the repository's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} is not valid YAML: {error}") from error


def _line(error: Any) -> str:
    """`key.path is VALUE: what is allowed`, without the architecture that pydantic adds to the path."""
    where = [str(part) for part in error["loc"]]
    if where[:1] == ["models"] and len(where) > 2:
        del where[2]
    key = ".".join(where) or "the file"
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "unknown_key":
        return f"{key}: {error['msg']}"
    if error["type"] == "union_tag_invalid":
        tag = error["ctx"]["tag"]
        return f"{key}.architecture is {tag!r}; {did_you_mean(tag, _tags(error['ctx']['expected_tags']))}"
    return f"{key} is {_shown(error['input'])}: {error['msg']}"


def _tags(quoted: str) -> list[str]:
    return [tag.strip(" '") for tag in quoted.split(",")]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _value(params: Params, key: str, path: Path) -> Any:
    value: Any = params
    done: list[str] = []
    for part in key.split("."):
        known = value if isinstance(value, dict) else dict(value) if isinstance(value, BaseModel) else {}
        if part not in known:
            raise Refusal(f"{path} has no {'.'.join([*done, part])}; {did_you_mean(part, list(known))}")
        value = known[part]
        done.append(part)
    return value
