"""Read `params.yaml`: validate all of it, hand out only the values that were asked for."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from stages.params.checks import cross_checks
from stages.params.fields import did_you_mean
from stages.params.messages import line
from stages.params.path_checks import absent
from stages.params.schema import Params
from stages.project.console import Refusal

PARAMS = Path("params.yaml")


def load(*keys: str, path: Path = PARAMS) -> tuple[Any, ...]:
    """Validate the whole file and return the values at the dotted `keys`, in their order.

    A stage names here exactly the keys that `dvc.yaml` declares for it; it can read no others.

    Raises:
        Refusal: the file is missing or breaks the schema (every problem is named), or has no such key.
    """
    params, wrong = _validated(parsed(path, _yaml))
    if params is None:
        raise _invalid(path, wrong)
    return tuple(_value(params, key, path) for key in keys)


def problems(path: Path = PARAMS) -> list[str]:
    """Everything that is wrong with the file, one line each; empty when it is valid.

    Raises:
        Refusal: the file is missing or is not YAML.
    """
    return problems_in(parsed(path, _yaml))


def problems_in(content: Any) -> list[str]:
    """The same of what such a file would hold."""
    return _validated(content)[1]


def refuse_invalid(content: Any) -> None:
    """Let pass what params.yaml may hold.

    Raises:
        Refusal: `content` is something else; every problem is named.
    """
    if wrong := problems_in(content):
        raise _invalid(PARAMS, wrong)


def refuse_unusable(content: Any) -> None:
    """Refuse what `refuse_invalid` refuses, and params that name a file or a folder that is not there.

    For what runs stages: in a clone whose data come from DVC's cache, a user's folder need not be there.

    Raises:
        Refusal: every problem is named by its key.
    """
    params, wrong = _validated(content)
    if wrong := wrong or list(absent(params.datasets, params.policies) if params else []):
        raise _invalid(PARAMS, wrong)


def _invalid(path: Path, wrong: list[str]) -> Refusal:
    return Refusal(f"{path} is not valid:\n" + "\n".join(f"  {one}" for one in wrong))


def _validated(content: Any) -> tuple[Params | None, list[str]]:
    """The params, None where something is wrong, and what is wrong."""
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        return None, [line(one) for one in error.errors(include_url=False)]
    wrong = list(cross_checks(params))
    return (None if wrong else params), wrong


def parsed(path: Path, parse: Callable[[str], Any]) -> Any:
    """What `parse` makes of a YAML file's text.

    Raises:
        Refusal: the file is missing, cannot be read, or is not YAML; the message names it.
    """
    from ruamel.yaml import YAMLError

    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refusal(f"{path} is missing; run from the repository's root") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not a text file (UTF-8): {error.reason} at byte {error.start}") from error
    except RecursionError:
        raise Refusal(f"{path} is not valid: its sections are nested too deeply") from None
    except (YAMLError, ValueError) as error:  # ValueError: too many values
        raise Refusal(f"{path} is not valid YAML: {_reason(error)}") from error


@lru_cache(maxsize=1)  # a stage and its tracking read the same file, 0.1 s each time
def _yaml(text: str) -> Any:
    from stages.params.plain_yaml import read_yaml

    return read_yaml(text)


def _reason(error: Exception) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: {problem}" if problem and mark else " ".join(str(error).split())


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
