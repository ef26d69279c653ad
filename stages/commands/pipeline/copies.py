"""Obstacles to DVC's experiments: `dvc exp run --temp` runs in a throw-away copy of what git and DVC track.

`vision experiment` and `vision sweep` ask before any work, `vision check` and `vision doctor` in any case.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.commands.pipeline.commit import missing_commit
from stages.project.console import Refusal
from stages.sources.image_files import skipped_as
from stages.tracking.git import git

_IN_ADDRESS = re.compile(r"[#?]|%[0-9a-fA-F]{2}|%\(")  # DVC copies by way of file:// addresses and of templates


class Obstacle(NamedTuple):
    """An obstacle that keeps an experiment from running in a copy of the project, and its fix."""

    about: str
    fix: str

    def __str__(self) -> str:
        """Return the line for people."""
        return f"{self.about}; {self.fix}"


def refuse_copy(params: Mapping[str, Any], models: Collection[str]) -> None:
    """Let pass an experiment that trains `models` in a copy of the project.

    Args:
        params: the whole of them, as the experiment has them.
        models: their names.

    Raises:
        Refusal: something keeps it from running; each obstacle is a line.
    """
    if found := [str(obstacle) for obstacle in obstacles(params, models)]:
        raise Refusal("experiments run in a copy of what git and DVC track, and cannot here:\n  " + "\n  ".join(found))


def obstacles(params: Mapping[str, Any], models: Collection[str] | None = None) -> Iterator[Obstacle]:
    """Yield what keeps experiments from running in a copy of the project; nothing where git has no commit to copy.

    Args:
        params: the whole of them.
        models: that are to be trained; None: any.
    """
    if missing_commit():  # `refuse_without_commit` and `vision doctor` say so
        return
    yield from _of_place()
    for key, path in _paths(params, models).items():
        yield from _of_path(key, path)
    if code := [file for file in _untracked("stages") if file.endswith(".py")]:
        yield Obstacle(f"git does not track {', '.join(code)}, so experiments lack it", f"`git add {shlex.join(code)}`")


def _of_place() -> Iterator[Obstacle]:
    """Yield what DVC cannot cope with in the project's own path, and in the settings that it writes into the copy."""
    root, top = Path.cwd(), git("rev-parse", "--show-toplevel")
    if odd := _IN_ADDRESS.search(str(root)):
        yield Obstacle(f"DVC misreads {odd[0]!r} in the path {root}, so no experiment runs here", "rename that folder")
    if not (cache := _cache()).isascii():
        about = f"DVC can write ASCII alone, and its cache is {cache}, so no experiment runs here"
        yield Obstacle(about, "rename that folder, or move the cache: `dvc cache dir --local FOLDER`")
    for file in (Path(".dvc/config.local"), Path(top, ".git/config")):
        if file.is_file() and not file.read_bytes().isascii():
            about = f"DVC can write ASCII alone, and {file} has other letters, so no experiment runs here"
            yield Obstacle(about, "`git config --global user.name NAME`, say, and `git config --unset user.name`")


def _cache() -> str:
    """Return the path of DVC's cache, without opening DVC's repository, which would write into it."""
    from dvc.config import Config, ConfigError

    try:
        return str(Config(str(Path.cwd() / ".dvc"))["cache"].get("dir", Path.cwd() / ".dvc/cache"))
    except ConfigError as error:
        raise Refusal(f"DVC cannot read its settings in .dvc: {error}; mend the file") from error


def _paths(params: Mapping[str, Any], models: Collection[str] | None) -> dict[str, str]:
    """Return by key the paths that models need, of their data set and of their policies' pictures."""
    datasets, policies = params["datasets"], params["policies"]
    if models is not None:
        chosen = [params["models"][name] for name in models]
        datasets = {model["dataset"]: datasets[model["dataset"]] for model in chosen}
        policies = {name: policies[name] for model in chosen for name in _policies(params, model) if name in policies}
    found = {f"datasets.{name}.path": dataset["path"] for name, dataset in datasets.items()}
    return found | {f"policies.{name}.style.pictures": policy["style"]["pictures"] for name, policy in policies.items()}


def _policies(params: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the policies by which a model's images may be altered."""
    kind, _, name = model["inputs"].partition("/")
    yield model["augmentation"]
    if kind == "augmented":
        yield name.removesuffix("/views")
    if kind == "features":
        yield params["features"][name]["augmentation"]


def _of_path(key: str, path: str) -> Iterator[Obstacle]:
    """Yield what a copy of the project lacks of a file or a folder that is here."""
    full, top = Path(os.path.normpath(Path.cwd() / path)), git("rev-parse", "--show-toplevel")
    if "://" in path or Path(path).is_absolute() or not top or not full.exists():
        return
    in_full = f"name its full path, {full}, in params.yaml"
    if not full.resolve().is_relative_to(top):
        yield Obstacle(f"{key}: {path} lies outside of {top}, so experiments lack it", in_full)
    elif not _in_dvc(path) and (missing := _untracked(path)):
        if git("ls-files", "--", _literal(path)):
            about = f"git does not track {len(missing)} file(s) of {path}, such as {missing[0]}"
            yield Obstacle(f"{key}: {about}, so experiments run without", f"`git add {shlex.quote(path)}` and commit")
        else:
            about = f"{key}: neither git nor DVC tracks {path}, so experiments lack it"
            yield Obstacle(about, f"{_track(path)}, or {in_full}")


def _track(path: str) -> str:
    """Return the commands by which DVC and git track a path."""
    note, ignored = Path(path).with_name(f"{Path(path).name}.dvc"), Path(path).with_name(".gitignore")
    return f"`dvc add {shlex.quote(path)} && git add {shlex.join([str(note), str(ignored)])}` and commit"


def _in_dvc(path: str) -> bool:
    """Return whether git tracks what `dvc add` writes of a path, or of a folder above it."""
    notes = [f"{place}.dvc" for place in (Path(path), *Path(path).parents) if place.name]
    return bool(git("ls-files", "--", *map(_literal, notes)))


def _untracked(path: str) -> list[str]:
    """Return the files of a path that git does not track, but for those that no stage reads, such as hidden ones."""
    listed = git("ls-files", "--others", "-z", "--", _literal(path), seconds=None)  # of many images it takes long
    files, depth = listed.split("\0"), len(Path(path).parts)
    return [file for file in files if file and not any(map(skipped_as, Path(file).parts[depth:]))]


def _literal(path: str) -> str:
    return f":(literal){path}"
