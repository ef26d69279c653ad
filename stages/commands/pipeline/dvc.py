"""DVC as the subcommands of `vision` use it: this environment's own, whatever is on PATH."""

import os
import shlex
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.commands.pipeline import child
from stages.commands.pipeline.commit import refuse_without_commit
from stages.commands.pipeline.schedule import Graph
from stages.project.console import Refusal
from stages.project.outs import refuse_linked_outs
from stages.tracking.git import top_and_project

# A waiting thread of OpenMP spins, which takes the core from another stage's threads; how long changes no result. GNU's
# OpenMP (torch's on Linux) spins 300,000 times before it sleeps; here a thousand times, others' not at all. Measured on
# 2 cores, as a share of the speed alone: a CNN beside an MLP 55 and 48 %, not 26 and 20; with no spinning 60 and 58 %,
# but then DenseNet121's features take 1.4 times as long.
YIELDING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


def command(*arguments: str) -> list[str]:
    """The command line of `dvc` with `arguments`."""
    return child.command("dvc", *arguments)


def environment() -> dict[str, str]:
    """Of a `dvc` process: stages are run by the `python` that it finds on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path}


def graph_of(repo: Any) -> Graph:
    """By stage of a repository, the stages that it depends on."""
    return {
        stage.addressing: {needed.addressing for needed in repo.index.graph.successors(stage)}
        for stage in repo.index.graph
    }


@contextmanager
def repository(files: Any = None) -> Iterator[Any]:
    """DVC's repository here, whose `index` has looked up every `${...}` of dvc.yaml in params.yaml.

    Args:
        files: DVC's file system that it is read through; None: the plain one.

    Raises:
        Refusal: there is no dvc.yaml or no git repository, it does not fit params.yaml, a folder of results is a link
            to another disk, DVC's site cache cannot be used, or another DVC works on what is looked at.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.scm import SCMError

    if not Path("dvc.yaml").exists():
        raise Refusal("dvc.yaml is missing; run from the repository's root")
    refuse_linked_outs()
    try:
        with _open_repo(files) as repo:
            yield repo
    except LockError as error:
        busy = " ".join(str(error).partition("\n\n")[0].split())  # after it stands how to remove the lock, unasked
        raise Refusal(f"another DVC is at work here ({busy}); run this again when it has ended") from error
    except SCMError as error:
        refuse_without_commit()
        raise Refusal(f"DVC cannot use the git repository here: {error}") from error
    except DvcException as error:
        causes = [str(one) for one in (error, error.__cause__) if one]
        raise Refusal("dvc.yaml does not fit params.yaml: " + ": ".join(causes)) from error


def _open_repo(files: Any) -> Any:
    """Open DVC's repository here, which writes into DVC's site cache: a folder outside, of all users and repositories.

    Raises:
        Refusal: the site cache is another user's, or this user has no name for it.
    """
    from dvc.repo import Repo

    try:
        return Repo(".", fs=files)
    except (KeyError, OSError, sqlite3.Error) as error:
        if "getpwuid" in str(error):
            raise Refusal(f"DVC needs this user's name, and {os.getuid()} has none; export USER=me") from error
        folder = _site_cache()
        if not isinstance(error, sqlite3.Error) and folder not in str(error):
            raise
        raise Refusal(
            f"DVC's site cache {folder} cannot be used by this user ({error}); "
            f"dvc config --local core.site_cache_dir {shlex.quote(str(Path('.dvc/tmp/site').resolve()))}"
        ) from error


def _site_cache() -> str:
    from dvc.config import Config
    from dvc.dirs import site_cache_dir

    return str(site_cache_dir(Config(".dvc")["core"].get("site_cache_dir")))


def read_from_commit(path: Path, commit: str) -> bytes:
    """Return the content of a file that git holds in a commit, or DVC for it.

    `dvc.api.read` does not: of a commit it looks for the project at git's top alone.

    Raises:
        DvcException, FileNotFoundError: neither holds the file.
    """
    from dvc.fs import DVCFileSystem, GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    scm, (_, project) = SCM("."), top_and_project()
    with Repo(f"/{project.as_posix()}", fs=GitFileSystem(scm=scm, rev=commit), scm=scm) as repo:
        content: bytes = DVCFileSystem(repo=repo).cat_file(path.as_posix())
    return content
