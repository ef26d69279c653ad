"""Obstacles to DVC's experiments: `dvc exp run --temp` runs in a throw-away copy of what git and DVC track.

`vision experiment` and `vision sweep` look for them before any work, `vision check` and `vision doctor` in any case.
"""

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vision_pipeline.core.errors import ConfigError, UserError
from vision_pipeline.sources.image_files import match_skip_pattern
from vision_pipeline.vcs.git import explain_missing_commit, git_or_empty

_MISREAD_BY_DVC = re.compile(r"[#?]|%[0-9a-fA-F]{2}|%\(")  # DVC copies by way of file:// addresses and of templates


class Obstacle(NamedTuple):
    """An obstacle that keeps an experiment from running in a copy of the project, and its fix."""

    message: str
    fix: str

    def __str__(self) -> str:
        """Return message and fix in a line."""
        return f"{self.message}; {self.fix}"


def require_copyable(params: Mapping[str, Any], models: Collection[str]) -> None:
    """Check that an experiment can train `models` in a copy of the project.

    Args:
        params: all of the experiment's params.
        models: names of the models.

    Raises:
        UserError: something keeps it from running; each obstacle is a line.
    """
    if lines := [str(obstacle) for obstacle in find_obstacles(params, models)]:
        raise UserError(
            "experiments run in a copy of what git and DVC track, and cannot here:\n  " + "\n  ".join(lines)
        )


def find_obstacles(params: Mapping[str, Any], models: Collection[str] | None = None) -> Iterator[Obstacle]:
    """Yield what keeps experiments from running in a copy of the project; nothing where git has no commit to copy.

    Args:
        params: all params.
        models: names of the models to train; None for all.
    """
    if explain_missing_commit():  # reported by `require_commit` and `vision doctor`
        return
    yield from _check_location()
    for key, path in _collect_paths(params, models).items():
        yield from _check_path(key, path)
    untracked = [file for folder in ("stages", "vision_pipeline") for file in _list_untracked(folder)]
    if code := [file for file in untracked if file.endswith(".py")]:
        yield Obstacle(f"git does not track {', '.join(code)}, so experiments lack it", f"`git add {shlex.join(code)}`")


def _check_location() -> Iterator[Obstacle]:
    """Yield what DVC cannot cope with in the project's own path, and in the settings that it writes into the copy."""
    root, top = Path.cwd(), git_or_empty("rev-parse", "--show-toplevel")
    if misread := _MISREAD_BY_DVC.search(str(root)):
        yield Obstacle(
            f"DVC misreads {misread[0]!r} in the path {root}, so no experiment runs here", "rename that folder"
        )
    if not (cache := _find_cache_dir()).isascii():
        message = f"DVC can write ASCII alone, and its cache is {cache}, so no experiment runs here"
        yield Obstacle(message, "rename that folder, or move the cache: `dvc cache dir --local FOLDER`")
    for file in (Path(".dvc/config.local"), Path(top, ".git/config")):
        if file.is_file() and not file.read_bytes().isascii():
            message = f"DVC can write ASCII alone, and {file} has other letters, so no experiment runs here"
            yield Obstacle(message, "`git config --global user.name NAME`, say, and `git config --unset user.name`")


def _find_cache_dir() -> str:
    """Return the path of DVC's cache, without opening DVC's repository, which would write into it."""
    from dvc.config import Config
    from dvc.config import ConfigError as DvcConfigError

    try:
        return str(Config(str(Path.cwd() / ".dvc"))["cache"].get("dir", Path.cwd() / ".dvc/cache"))
    except DvcConfigError as error:
        raise ConfigError(f"DVC cannot read its settings in .dvc: {error}; mend the file") from error


def _collect_paths(params: Mapping[str, Any], models: Collection[str] | None) -> dict[str, str]:
    """Return by key the paths that models need: of their data set and of their policies' style pictures."""
    datasets, policies = params["datasets"], params["policies"]
    if models is not None:
        chosen = [params["models"][name] for name in models]
        datasets = {model["dataset"]: datasets[model["dataset"]] for model in chosen}
        policies = {
            name: policies[name] for model in chosen for name in _iter_policies(params, model) if name in policies
        }
    paths = {f"datasets.{name}.path": dataset["path"] for name, dataset in datasets.items()}
    return paths | {f"policies.{name}.style.pictures": policy["style"]["pictures"] for name, policy in policies.items()}


def _iter_policies(params: Mapping[str, Any], model: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the policies by which a model's images may be altered."""
    kind, _, name = model["inputs"].partition("/")
    yield model["augmentation"]
    if kind == "augmented":
        yield name.removesuffix("/views")
    if kind == "features":
        yield params["features"][name]["augmentation"]


def _check_path(key: str, path: str) -> Iterator[Obstacle]:
    """Yield what a copy of the project lacks of a file or a folder that is here."""
    full, top = Path(os.path.normpath(Path.cwd() / path)), git_or_empty("rev-parse", "--show-toplevel")
    if "://" in path or Path(path).is_absolute() or not top or not full.exists():
        return
    full_path_fix = f"name its full path, {full}, in params.yaml"
    if not full.resolve().is_relative_to(top):
        yield Obstacle(f"{key}: {path} lies outside of {top}, so experiments lack it", full_path_fix)
    elif not _is_dvc_tracked(path) and (missing := _list_untracked(path)):
        if git_or_empty("ls-files", "--", _make_pathspec(path)):
            message = f"git does not track {len(missing)} file(s) of {path}, such as {missing[0]}"
            yield Obstacle(f"{key}: {message}, so experiments run without", f"`git add {shlex.quote(path)}` and commit")
        else:
            message = f"{key}: neither git nor DVC tracks {path}, so experiments lack it"
            yield Obstacle(message, f"{_format_track_commands(path)}, or {full_path_fix}")


def _format_track_commands(path: str) -> str:
    """Return the commands by which DVC and git track a path."""
    dvc_file, gitignore = Path(path).with_name(f"{Path(path).name}.dvc"), Path(path).with_name(".gitignore")
    return f"`dvc add {shlex.quote(path)} && git add {shlex.join([str(dvc_file), str(gitignore)])}` and commit"


def _is_dvc_tracked(path: str) -> bool:
    """Return whether git tracks what `dvc add` writes of a path, or of a folder above it."""
    dvc_files = [f"{parent}.dvc" for parent in (Path(path), *Path(path).parents) if parent.name]
    return bool(git_or_empty("ls-files", "--", *map(_make_pathspec, dvc_files)))


def _list_untracked(path: str) -> list[str]:
    """Return the files of a path that git does not track, without those that no stage reads, such as hidden ones."""
    # many images take longer than git's usual limit
    listed = git_or_empty("ls-files", "--others", "-z", "--", _make_pathspec(path), seconds=None)
    files, depth = listed.split("\0"), len(Path(path).parts)
    return [file for file in files if file and not any(map(match_skip_pattern, Path(file).parts[depth:]))]


def _make_pathspec(path: str) -> str:
    return f":(literal){path}"
