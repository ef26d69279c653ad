"""A clean clone of a commit, in which stages of its dvc.lock run again without touching the repository here.

The clone takes from DVC's cache what it need not make again.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer

from vision_pipeline.cli.pipeline.dvc import dvc_command, dvc_env, open_repository, prefix_lines, stage_graph
from vision_pipeline.core.errors import ArtifactError, DataError, UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.sources.mirror import MIRROR_VARIABLE, find_mirror_root
from vision_pipeline.vcs.git import git_checked, locate_project

HASH_STATE = Path(".dvc/tmp/state")  # the clone's DVC stores here which files have which hash
# No setting names a folder outside of the clone: a path can have characters that DVC's settings cannot.
_DVC_CONFIG = f"""[core]
    analytics = false
    check_update = false
    site_cache_dir = {HASH_STATE}
[cache]
    dir = cache
    type = "reflink,copy"
"""
# set by DVC in a stage's process, which may run this command
_STAGE_VARIABLES = ("DVC_STAGE", "DVC_EXP_", "DVC_SITE_CACHE_DIR")


@contextmanager
def clone_commit(commit: str) -> Iterator[Path]:
    """Yield the project's folder in a clone of the repository at `commit`; its DVC reads the cache here.

    The clone is in a temporary folder. Files are copied out of the cache, so that nothing in the clone is a link to it.
    DVC's analytics and its check for updates are off: their processes would write into the folder while it is removed.

    Raises:
        UserError: the commit does not have this project.
    """
    with open_repository() as repo:
        cache = Path(repo.cache.local_cache_dir)
    top, project = locate_project()
    with TemporaryDirectory(prefix="vision-verify-") as folder:
        clone = Path(folder).resolve() / "clone"
        options = ("--config", "core.autocrlf=false", "--quiet", "--shared", "--no-checkout")
        git_checked("clone", *options, str(top), str(clone))
        git_checked("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        root = clone / project
        if not (root / ".dvc").is_dir():
            raise UserError(f"commit {commit[:12]} has no {project / '.dvc'}; name one that has this project, by --rev")
        if cache.is_dir():
            (root / ".dvc/cache").symlink_to(cache)
        (root / ".dvc/config.local").write_text(_DVC_CONFIG)
        yield root


def rerun_stages(root: Path, stages: Sequence[str]) -> None:
    """Run `stages` in the clone by DVC in any case, so that the clone's dvc.lock has their hashes.

    There is no run cache and no training's state to resume, MLflow is off, and nothing goes into DVC's cache.

    Raises:
        UserError: one of them failed.
    """
    logger.debug(f"dvc repro in the clone {root}: {' '.join(stages)}")
    process = subprocess.Popen(
        dvc_command("repro", "--force", "--single-item", "--no-run-cache", "--no-commit", *stages),
        cwd=root, env=_make_clone_env(root),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    started: set[str] = set()
    for line in prefix_lines(process.stdout):
        started |= {line.partition(" | ")[0]} & set(stages)
        typer.echo(f"[{len(started)}/{len(stages)}] {line}")
    if process.wait():
        raise UserError("what the commit records could not be made again, for a stage failed, as said above")


def _make_clone_env(root: Path) -> dict[str, str]:
    """Return the environment of the clone's stages, whose repository is the clone, wherever this command runs."""
    env = {name: value for name, value in dvc_env().items() if not name.startswith(_STAGE_VARIABLES)}
    mirror = find_mirror_root()  # a relative one counts from the repository here, not from the clone
    env |= {MIRROR_VARIABLE: str(mirror)} if mirror else {}
    return env | {"DVC_ROOT": str(root), "TRACKING": "off", "PWD": os.fspath(root)}


@contextmanager
def _open_clone(root: Path) -> Iterator[Any]:
    """Yield the clone's DVC repository, with `root` as the working folder: DVC names stages relative to it."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with chdir(root), Repo() as repo:
            yield repo
    except DvcException as error:
        raise UserError(f"DVC cannot read the commit's pipeline: {error}") from error


def fetch_or_plan(root: Path, requested: Sequence[str], train: bool) -> list[str]:
    """Check out from DVC's cache what the stages `requested` read, and plan the stages whose outputs it lacks.

    Args:
        root: folder of the project in the clone.
        requested: stages of dvc.lock, each after those that it depends on.
        train: whether trainings may run.

    Returns:
        All stages to run, in order.

    Raises:
        UserError: the commit's dvc.yaml has no such stage.
        ArtifactError: a model is missing, and trainings may not run.
        DataError: data are missing that no stage makes.
    """
    with _open_clone(root) as repo:
        graph, stages = stage_graph(repo), {stage.addressing: stage for stage in repo.index.stages}
        if unknown := [name for name in requested if name not in stages]:
            raise UserError(f"the commit's dvc.yaml has no stage {unknown[0]}")
        order: list[str] = []
        cached: set[str] = set()

        def add_with_dependencies(name: str) -> None:
            for dependency in sorted(graph[name] - cached - set(order)):
                if _is_cached(stages[dependency]):
                    cached.add(dependency)
                    continue
                _check_can_rerun(dependency, stages[dependency], train)
                add_with_dependencies(dependency)
            if name not in order:
                order.append(name)

        for name in requested:
            add_with_dependencies(name)
        if cached:
            repo.checkout(sorted(cached), force=True)
        _require_inputs([stages[name] for name in order])
    # DVC has taken the hashes of these copies from the cache; they should be computed from the bytes
    shutil.rmtree(root / HASH_STATE, ignore_errors=True)
    return order


def _require_inputs(stages: Sequence[Any]) -> None:
    """Check that the inputs of all stages exist, or are made by another of them.

    Raises:
        DataError: a stage reads a file or a folder that neither git nor DVC tracks.
    """
    outputs = [Path(out.fs_path) for stage in stages for out in stage.outs]
    for stage in stages:
        for dependency in stage.deps:
            path = Path(dependency.fs_path)
            if dependency.protocol == "local" and not path.exists() and not any(map(path.is_relative_to, outputs)):
                raise DataError(
                    f"{stage.addressing} is to run again, for DVC's cache lacks what it made, but the commit has no "
                    f"{dependency}; track it with git or `dvc add`, or name its full path in params.yaml, and commit"
                )


def _is_cached(stage: Any) -> bool:
    """Return whether DVC's cache has all outputs of a stage that git does not track."""
    return not any(out.changed_cache() for out in stage.outs if out.use_cache)


def _check_can_rerun(name: str, stage: Any, train: bool) -> None:
    if not stage.cmd:
        raise DataError(f"{name} is not in DVC's cache; `dvc fetch` brings it")
    if name.startswith("train@") and not train:
        raise ArtifactError(
            f"models/{name.removeprefix('train@')} is not in DVC's cache; `dvc fetch`, or go without --evaluate"
        )
