"""A clean clone of a commit, in which stages of its dvc.lock are run again without touching the repository here."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.commands.dvc import command, environment, graph_of, repository
from stages.commands.dvc_experiment import git
from stages.commands.repro import named
from stages.project.console import Refusal, say
from stages.sources.mirror import VARIABLE, mirror_root

_STATE = Path(".dvc/tmp/state")  # where the clone's DVC remembers which files have which hash


_OF_A_STAGE = ("DVC_STAGE", "DVC_EXP_", "DVC_SITE_CACHE_DIR")


@contextmanager
def clean_clone(commit: str) -> Iterator[Path]:
    """A clone of the repository here at `commit`, in a temporary folder; it reads DVC's cache here.

    Files are copied out of the cache, so that nothing in the clone is a link to it.
    """
    from dvc.config import Config

    with repository() as repo:
        cache = repo.cache.local_cache_dir
    with TemporaryDirectory(prefix="vision-verify-") as folder:
        root = Path(folder).resolve() / "clone"
        git("clone", "--quiet", "--shared", "--no-checkout", ".", str(root))
        git("-C", str(root), "checkout", "--quiet", "--detach", commit)
        with Config(str(root / ".dvc")).edit("local") as local:
            local["cache"] = {"dir": cache, "type": "reflink,copy"}
            local["core"] = {"site_cache_dir": str(root / _STATE)}
        yield root


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
    # what DVC noted of the copies it noted of the cache: hashes are to come from the bytes
    shutil.rmtree(root / _STATE, ignore_errors=True)
    return order


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


def run_again(root: Path, stages: Sequence[str]) -> None:
    """Have DVC run `stages` in the clone, whatever it knows of them, and note hashes in the clone's dvc.lock.

    No run cache is asked, no training's state is there to go on from, MLflow is off, nothing goes into DVC's cache.

    Raises:
        Refusal: one of them failed.
    """
    process = subprocess.Popen(
        command("repro", "--force", "--single-item", "--no-run-cache", "--no-commit", *stages),
        cwd=root, env=_environment(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    begun: set[str] = set()
    for line in named(process.stdout):
        begun |= {line.partition(" | ")[0]} & set(stages)
        say(f"[{len(begun)}/{len(stages)}] {line}")
    if process.wait():
        raise Refusal("what the commit records could not be made again, for a stage failed, as said above")


def _environment(root: Path) -> dict[str, str]:
    """Of the clone's stages: their repository is the clone, wherever this command was begun."""
    kept = {name: value for name, value in environment().items() if not name.startswith(_OF_A_STAGE)}
    mirror = mirror_root()  # a relative one counts from the repository here
    kept |= {VARIABLE: str(mirror)} if mirror else {}
    return kept | {"DVC_ROOT": str(root), "TRACKING": "off", "PWD": os.fspath(root)}
