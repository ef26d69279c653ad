"""Read `params.yaml` and other YAML files that a person writes: parse them safely, and validate the params."""

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vision_pipeline.config.data_validation import check_paths_exist
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.messages import format_validation_error
from vision_pipeline.config.schema import Params
from vision_pipeline.config.validation import validate_references
from vision_pipeline.core.errors import ConfigError

PARAMS = Path("params.yaml")
_MAX_VALUES = 100_000  # some hundred times as many as params.yaml has


def load_params(*keys: str, path: Path = PARAMS) -> tuple[Any, ...]:
    """Validate the whole file and return the values at the dotted `keys`, in their order.

    A stage names here exactly the keys that `dvc.yaml` declares for it; it can read no others.

    Raises:
        ConfigError: the file is missing or breaks the schema (every problem is named), or has no such key.
    """
    params, errors = _validate(parse_file(path, _parse_yaml))
    if params is None:
        raise _invalid_params_error(path, errors)
    return tuple(_get_value(params, key, path) for key in keys)


def list_validation_errors(path: Path = PARAMS) -> list[str]:
    """Return all problems of the file, one line each; none when it is valid.

    Raises:
        ConfigError: the file is missing or is not YAML.
    """
    return list_validation_errors_in(parse_file(path, _parse_yaml))


def list_validation_errors_in(content: Any) -> list[str]:
    """Return all problems that a params.yaml with this content would have, one line each."""
    return _validate(content)[1]


def raise_if_invalid(content: Any) -> None:
    """Raise an error unless `content` is a valid params.yaml.

    Raises:
        ConfigError: every problem is named.
    """
    if errors := list_validation_errors_in(content):
        raise _invalid_params_error(PARAMS, errors)


def raise_if_unusable(content: Any) -> None:
    """Raise an error unless `content` is a valid params.yaml and every file and folder that it names is there.

    Called before stages run. In a clone whose data come from DVC's cache, a user's folder may be missing.

    Raises:
        ConfigError: every problem is named by its key.
    """
    params, errors = _validate(content)
    if errors := errors or list(check_paths_exist(params.datasets, params.policies) if params else []):
        raise _invalid_params_error(PARAMS, errors)


def _invalid_params_error(path: Path, errors: list[str]) -> ConfigError:
    return ConfigError(f"{path} is not valid:\n" + "\n".join(f"  {message}" for message in errors))


def _validate(content: Any) -> tuple[Params | None, list[str]]:
    """Return the params (None where something is wrong) and the problems."""
    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        return None, [format_validation_error(details) for details in error.errors(include_url=False)]
    errors = list(validate_references(params))
    return (None if errors else params), errors


def parse_file(path: Path, parse: Callable[[str], Any]) -> Any:
    """Read a YAML file with `parse`.

    Raises:
        ConfigError: the file is missing, cannot be read, or is not YAML; the message names it.
    """
    from ruamel.yaml import YAMLError

    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; run from the repository's root") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file (UTF-8): {error.reason} at byte {error.start}") from error
    except RecursionError:
        raise ConfigError(f"{path} is not valid: its sections are nested too deeply") from None
    except (YAMLError, ValueError) as error:  # ValueError: too many values
        raise ConfigError(f"{path} is not valid YAML: {_format_yaml_error(error)}") from error


@lru_cache(maxsize=1)  # a stage and its tracking read the same file, 0.1 s each time
def _parse_yaml(text: str) -> Any:
    return safe_load(text)


def _format_yaml_error(error: Exception) -> str:
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: {problem}" if problem and mark else " ".join(str(error).split())


def _get_value(params: Params, key: str, path: Path) -> Any:
    value: Any = params
    parent_keys: list[str] = []
    for part in key.split("."):
        section = value if isinstance(value, dict) else dict(value) if isinstance(value, BaseModel) else {}
        if part not in section:
            raise ConfigError(f"{path} has no {'.'.join([*parent_keys, part])}; {did_you_mean(part, list(section))}")
        value = section[part]
        parent_keys.append(part)
    return value


def safe_load(text: str) -> Any:
    """Parse YAML 1.2 that may come from anyone to plain values, as DVC reads it (`1e-3` is a number, `no` is a word).

    No code is run, no key may stand twice, and there is a limit on the number of values.

    Raises:
        YAMLError: it is not YAML, holds a key twice, a tag that is none of plain values, or a number of thousands of
            digits.
        ValueError: it holds more values than any file needs.
        RecursionError: it is nested too deeply.
    """
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _bounded_constructor()
    return yaml.load(text)


@cache
def _bounded_constructor() -> Any:
    """Return a constructor of plain values with bounds; ruamel.yaml takes long to import, so it is made when needed."""
    from ruamel.yaml.constructor import ConstructorError, SafeConstructor

    class BoundedConstructor(SafeConstructor):
        """Counts the values of a document before any is made: ten lines of aliases and merges can be billions."""

        def construct_document(self, node: Any) -> Any:
            if (count := _count_values(node, {})) > _MAX_VALUES:
                raise ValueError(f"with its aliases it has {count:,} values; allowed: {_MAX_VALUES:,}")
            return super().construct_document(node)

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            """Make a value; a number or a date that is none is an error that names its line."""
            try:
                return super().construct_object(node, deep)
            except ValueError as error:
                raise ConstructorError(problem=str(error), problem_mark=node.start_mark) from error

    return BoundedConstructor


def _count_values(node: Any, counts: dict[int, int]) -> int:
    """Return how many values a node stands for; an alias counts as all that it stands for."""
    if id(node) not in counts:
        counts[id(node)] = 1  # where it holds itself
        children = node.value if isinstance(node.value, list) else ()
        parts = [part for child in children for part in (child if isinstance(child, tuple) else (child,))]
        counts[id(node)] += sum(_count_values(part, counts) for part in parts)
    return counts[id(node)]
