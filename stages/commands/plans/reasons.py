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

from stages.commands.pipeline.dvc import graph_of, repository
from stages.commands.pipeline.schedule import Graph, out_of_date
from stages.params import problems
from stages.params.load import PARAMS, parsed
from stages.project.console import Refusal
from stages.project.files import write_bytes
from stages.project.nested import flat

_SHOWN = 2  # reasons of a stage
_KINDS = ("changed deps", "changed outs")
_HOW = {"deleted": "is missing", "not in cache": "is missing"}


class _Changed(LocalFileSystem):
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


def changed_params(settings: Sequence[str]) -> bytes:
    """params.yaml with `settings`, as `dvc exp run --set-param` takes them.

    Raises:
        Refusal: a setting is none, or the params would not be valid.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder) / PARAMS.name
        write_bytes(copy, parsed(PARAMS, str.encode))
        try:
            apply_overrides(copy, list(settings))
        except (DvcException, ValueError) as error:
            raise Refusal(f"--set-param: {' '.join(settings)}: {error.__cause__ or error}") from error
        if wrong := problems(copy):
            raise Refusal("params.yaml would not be valid:\n  " + "\n  ".join(wrong))
        return copy.read_bytes()


@contextmanager
def _opened(params: bytes | None) -> Iterator[Any]:
    with repository(_Changed(params) if params else None) as repo:
        yield repo


def work(params: bytes | None = None) -> tuple[Graph, dict[str, str]]:
    """The stages that would run, each with those of them that it depends on; and why each would.

    One that runs in any case, as the check of params.yaml does, is left out: it takes a moment and changes nothing.

    Args:
        params: the content of a changed params.yaml; None: as it is.
    """
    with _opened(params) as repo:
        status = repo.status()
        graph = out_of_date(graph_of(repo), {name for name, why in status.items() if why != ["always changed"]})
        stages = {stage.addressing: stage for stage in repo.index.graph}
        return graph, {name: _reason(stages[name], status.get(name, []), graph) for name in graph}


def _reason(stage: Any, status: list[Any], graph: Graph) -> str:
    """Why a stage would run: what has changed of its own accord, else what would run just before it."""
    if not any(dependency.hash_info for dependency in stage.deps):
        return "never run"
    reasons = list(_reasons(stage, status))
    if not reasons:
        needed = graph[stage.addressing]
        reasons = [f"after {name}" for name in sorted(needed - set().union(*(graph[name] for name in needed)))]
    more = len(reasons) - _SHOWN
    return ", ".join(reasons[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _reasons(stage: Any, status: list[Any]) -> Iterator[str]:
    """What has changed: params first, then files."""
    said = [entry for entry in status if isinstance(entry, str)]
    changed = [entry.get(kind, {}) for entry in status if isinstance(entry, dict) for kind in _KINDS]
    paths = [(path, how) for one in changed for path, how in one.items()]
    yield from said
    for _, how in paths:
        if isinstance(how, dict):
            yield from _params(stage, how)
    for path, how in paths:
        if isinstance(how, str):
            yield f"{path} {_HOW.get(how, how)}"


def _params(stage: Any, keys: dict[str, str]) -> Iterator[str]:
    """The params that differ from those of the stage's last run."""
    for dependency in stage.deps:
        if hasattr(dependency, "params"):
            before, now = dependency.hash_info.value or {}, dependency.read_params()
            old, new = (flat({key: side[key] for key in keys if key in side}) for side in (before, now))
            for key in dict.fromkeys([*new, *old]):
                if old.get(key) != new.get(key):
                    yield f"{key}: {_short(old.get(key, 'none'))} -> {_short(new.get(key, 'none'))}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
