"""Which stages a clone runs to verify models, and what it takes from DVC's cache instead."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from stages.commands.pipeline.dvc import graph_of
from stages.commands.verification.clone import STATE
from stages.project.console import Refusal


@contextmanager
def _opened(root: Path) -> Iterator[Any]:
    """Its repository, with `root` as the working folder: DVC names stages by their way from there."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with chdir(root), Repo() as repo:
            yield repo
    except DvcException as error:
        raise Refusal(f"DVC cannot read the commit's pipeline: {error}") from error


def fetch_or_plan(root: Path, wanted: Sequence[str], train: bool) -> list[str]:
    """Bring what the stages `wanted` read from DVC's cache; all stages to run, in order.

    Those whose outs the cache lacks are among them: the clone then makes its own data.

    Args:
        root: of the clone.
        wanted: stages of dvc.lock, each after those that it depends on.
        train: whether trainings may be among them.

    Raises:
        Refusal: what is missing cannot be made again, or only by a training.
    """
    with _opened(root) as repo:
        graph, stages = graph_of(repo), {stage.addressing: stage for stage in repo.index.stages}
        if unknown := [name for name in wanted if name not in stages]:
            raise Refusal(f"the commit's dvc.yaml has no stage {unknown[0]}")
        order: list[str] = []
        kept: set[str] = set()

        def need(name: str) -> None:
            for needed in sorted(graph[name] - kept - set(order)):
                if _in_cache(stages[needed]):
                    kept.add(needed)
                    continue
                _check(needed, stages[needed], train)
                need(needed)
            if name not in order:
                order.append(name)

        for name in wanted:
            need(name)
        if kept:
            repo.checkout(sorted(kept), force=True)
        _refuse_absent([stages[name] for name in order])
    # what DVC noted of the copies it noted of the cache: hashes are to come from the bytes
    shutil.rmtree(root / STATE, ignore_errors=True)
    return order


def _refuse_absent(stages: Sequence[Any]) -> None:
    """Let pass stages whose inputs are here, or made by another of them.

    Raises:
        Refusal: one reads a file or a folder that neither git nor DVC tracks.
    """
    made = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for stage in stages:
        for needed in stage.deps:
            path = Path(needed.fs_path)
            if needed.protocol == "local" and not path.exists() and not any(map(path.is_relative_to, made)):
                raise Refusal(
                    f"{stage.addressing} is to run again, for DVC's cache lacks what it made, but the commit has no "
                    f"{needed}; track it with git or `dvc add`, or name its full path in params.yaml, and commit"
                )


def _in_cache(stage: Any) -> bool:
    """Whether DVC's cache has all that a stage has written and git does not keep."""
    return not any(out.changed_cache() for out in stage.outs if out.use_cache)


def _check(name: str, stage: Any, train: bool) -> None:
    if not stage.cmd:
        raise Refusal(f"{name} is not in DVC's cache; `dvc fetch` brings it")
    if name.startswith("train@") and not train:
        raise Refusal(
            f"models/{name.removeprefix('train@')} is not in DVC's cache; `dvc fetch`, or go without --evaluate"
        )
