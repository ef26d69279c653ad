"""Files that a person names without their folder and their ending, such as experiments/NAME.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vision_pipeline.config.fields import did_you_mean, format_problem
from vision_pipeline.config.load import parse_file, safe_load
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.logging import logger

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def list_names(folder: Path) -> list[str]:
    """Return the names of a folder's files."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def print_list(folder: Path, describe: Callable[[str], str]) -> None:
    """Print a folder's files, each with its description.

    Raises:
        ConfigError: there are none.
    """
    if not (available := list_names(folder)):
        raise ConfigError(f"there is no {folder}/; run from the repository's root")
    for name in available:
        logger.info(f"{name:20} {describe(name)}")


def load_named(folder: Path, name: str, model_class: type[ConfigT]) -> ConfigT:
    """Read `folder`/`name`.yaml.

    Raises:
        ConfigError: there is none of that name, or it does not fit `model_class`; the message names file and key.
    """
    if name not in (available := list_names(folder)):
        raise ConfigError(f"there is no {folder / name}.yaml; {did_you_mean(name, available)}")
    file = folder / f"{name}.yaml"
    try:
        return model_class.model_validate(parse_file(file, safe_load))
    except ValidationError as error:
        raise ConfigError(f"{file} is not valid:\n  " + "\n  ".join(map(format_problem, error.errors()))) from error
