"""Which stages would run, and why: what DVC finds out of date, under params.yaml or a changed copy of it."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvc.exceptions import DvcException
from dvc.fs import LocalFileSystem
from dvc.utils.hydra import apply_overrides

from vision_pipeline.cli.pipeline.dvc import open_repository, stage_graph
from vision_pipeline.cli.pipeline.schedule import Graph, stale_subgraph
from vision_pipeline.config.effective import fill_defaults_at
from vision_pipeline.config.load import PARAMS, list_validation_errors, parse_file
from vision_pipeline.core.dicts import diff_dicts
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.core.text import format_value

_MAX_REASONS = 2  # reasons of a stage
_CHANGE_KINDS = ("changed deps", "changed outs")
_FILE_STATES = {"deleted": "is missing", "not in cache": "is missing"}


class _ParamsOverlay(LocalFileSystem):
    """The files as they are, but for the content of params.yaml."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._path, self._content = str(PARAMS.resolve()), content

    def open(self, path: str, mode: str = "r", **options: Any) -> Any:
        """A file; of params.yaml the other content."""
        if str(Path(path).resolve()) != self._path:
            return super().open(path, mode, **options)
        content = io.BytesIO(self._content)
        return content if "b" in mode else io.TextIOWrapper(content, encoding="utf-8")


def override_params(settings: Sequence[str]) -> bytes:
    """params.yaml with `settings`, as `dvc exp run --set-param` takes them.

    Raises:
        UserError: a setting is none, or the params would not be valid.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / PARAMS.name
        write_bytes(copy, parse_file(PARAMS, str.encode))
        try:
            apply_overrides(copy, list(settings))
        except (DvcException, ValueError) as error:
            raise UserError(f"--set-param: {' '.join(settings)}: {error.__cause__ or error}") from error
        if errors := list_validation_errors(copy):
            raise UserError("params.yaml would not be valid:\n  " + "\n  ".join(errors))
        return copy.read_bytes()


@contextmanager
def _open_with_params(params: bytes | None) -> Iterator[Any]:
    with open_repository(_ParamsOverlay(params) if params else None) as repo:
        yield repo


def stale_stages(params: bytes | None = None) -> tuple[Graph, dict[str, str]]:
    """The stages that would run, each with those of them that it depends on; and why each would.

    One that runs in any case, as the check of params.yaml does, is left out: it takes a moment and changes nothing.

    Args:
        params: the content of a changed params.yaml; None: as it is.
    """
    with _open_with_params(params) as repo:
        status = repo.status()
        graph = stale_subgraph(
            stage_graph(repo), {name for name, changes in status.items() if changes != ["always changed"]}
        )
        stages = {stage.addressing: stage for stage in repo.index.graph}
        return graph, {name: _explain_stage(stages[name], status.get(name, []), graph) for name in graph}


def _explain_stage(stage: Any, status: list[Any], graph: Graph) -> str:
    """Why a stage would run: what has changed of its own accord, else what would run just before it."""
    if not any(dependency.hash_info for dependency in stage.deps):
        return "never run"
    reasons = list(_list_changes(stage, status))
    if not reasons:
        dependencies = graph[stage.addressing]
        reasons = [
            f"after {name}" for name in sorted(dependencies - set().union(*(graph[name] for name in dependencies)))
        ]
    more = len(reasons) - _MAX_REASONS
    return ", ".join(reasons[:_MAX_REASONS]) + (f" and {more} more" if more > 0 else "")


def _list_changes(stage: Any, status: list[Any]) -> Iterator[str]:
    """What has changed: params first, then files."""
    messages = [entry for entry in status if isinstance(entry, str)]
    changed = [entry.get(kind, {}) for entry in status if isinstance(entry, dict) for kind in _CHANGE_KINDS]
    paths = [(path, change) for paths_by_kind in changed for path, change in paths_by_kind.items()]
    yield from messages
    for _, change in paths:
        if isinstance(change, dict):
            yield from _list_param_changes(stage, change)
    for path, change in paths:
        if isinstance(change, str):
            yield f"{path} {_FILE_STATES.get(change, change)}"


def _list_param_changes(stage: Any, keys: dict[str, str]) -> Iterator[str]:
    """The params that differ from those of the stage's last run."""
    for dependency in stage.deps:
        if hasattr(dependency, "params"):
            before, after = (
                {key: fill_defaults_at(key, side[key]) for key in keys if key in side}
                for side in (dependency.hash_info.value or {}, dependency.read_params())
            )
            changes = diff_dicts(before, after)
            for key, (old, new) in changes.items():
                yield f"{key}: {_format_value(old)} -> {_format_value(new)}"
            if not changes:
                yield f"{', '.join(keys)}: the same values, but keys that are off were added or left out"


def _format_value(value: Any) -> str:
    return "none" if value is None else format_value(value)
