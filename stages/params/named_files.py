"""Files that a person names without their folder and their ending, such as experiments/NAME.yaml."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from stages.params.fields import did_you_mean
from stages.params.load import parsed
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal, say

Asked = TypeVar("Asked", bound=BaseModel)


def names(folder: Path) -> list[str]:
    """The names of a folder's files."""
    return sorted(file.stem for file in folder.glob("*.yaml"))


def say_each(folder: Path, about: Callable[[str], str]) -> None:
    """List a folder's files for people, each with what it is about.

    Raises:
        Refusal: there are none.
    """
    if not (known := names(folder)):
        raise Refusal(f"there is no {folder}/; run from the repository's root")
    for name in known:
        say(f"{name:20} {about(name)}")


def read_named(folder: Path, name: str, kind: type[Asked]) -> Asked:
    """What `folder`/`name`.yaml says.

    Raises:
        Refusal: there is none of that name, or it does not say what `kind` must; the message names file and key.
    """
    if name not in (known := names(folder)):
        raise Refusal(f"there is no {folder / name}.yaml; {did_you_mean(name, known)}")
    file = folder / f"{name}.yaml"
    try:
        return kind.model_validate(parsed(file, read_yaml))
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors())
        raise Refusal(f"{file} is not valid:\n  " + "\n  ".join(lines)) from error
