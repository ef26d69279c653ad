"""DVC for the subcommands of `vision`: its command line, repository and output.

The DVC of this environment is run, whatever is on PATH. A process ends with the command that started it.
"""

import os
import re
import shlex
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.cli.pipeline.schedule import Graph
from vision_pipeline.core.errors import ConfigError, UserError
from vision_pipeline.core.paths import raise_if_linked_outs
from vision_pipeline.vcs.git import locate_project, require_commit

# A waiting thread of OpenMP spins, which takes the core from another stage's threads; how long changes no result. GNU's
# OpenMP (torch's on Linux) spins 300,000 times before it sleeps; here a thousand times, other OpenMPs not at all.
# Measured on 2 cores, as a share of the speed alone: a CNN beside an MLP 55 and 48 %, not 26 and 20; with no spinning
# 60 and 58 %, but then DenseNet121's features take 1.4 times as long.
PASSIVE_OMP_ENV = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
# Else a child would survive its killed parent: a stage would train unseen, a server keep its port.
_CHILD_SCRIPT = """
import runpy
import sys
from vision_pipeline.core.signals import set_parent_death_signal
set_parent_death_signal()
module = sys.argv.pop(1)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
_STAGE_STARTED = re.compile(r"Running stage '(.+)':$")
_DVC_CHATTER = re.compile(
    r"> |Stage '.+' didn't change, skipping|(Generating|Updating) lock file|To (track|enable|apply) "
    r"|\t(git add|dvc config|dvc exp|reports/)|Use `dvc push`|WARNING: '.+' is empty|WARNING: No file hash"
    r"|WARNING: The following untracked|(Reproducing|Ran) experiment"
)


def dvc_command(*arguments: str) -> list[str]:
    """Return the command line of `dvc` with `arguments`."""
    return python_command("dvc", *arguments)


def python_command(module: str, *arguments: str) -> list[str]:
    """Return a command line of `python -m MODULE ARGUMENTS` that ends with this process, however that ends."""
    return [sys.executable, "-c", _CHILD_SCRIPT, module, *arguments]


def dvc_env() -> dict[str, str]:
    """Return the environment variables of a `dvc` process, which runs stages by the `python` that it finds on PATH.

    PYTHONSAFEPATH is left out: with it, `python -m stages.NAME` would not look for the stages in the working folder.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"} | {"PATH": path}


def stage_graph(repo: Any) -> Graph:
    """Return by stage of DVC's repository the stages that it depends on."""
    return {
        stage.addressing: {dependency.addressing for dependency in repo.index.graph.successors(stage)}
        for stage in repo.index.graph
    }


@contextmanager
def open_repository(filesystem: Any = None) -> Iterator[Any]:
    """Yield DVC's repository here, whose `index` has resolved every `${...}` of dvc.yaml by params.yaml.

    Args:
        filesystem: DVC's file system that it is read through; None for the plain one.

    Yields:
        A `dvc.repo.Repo`.

    Raises:
        ConfigError: dvc.yaml does not fit params.yaml.
        UserError: there is no dvc.yaml or no git repository, a folder of results is a link to another disk, DVC's site
            cache cannot be used, or another DVC process has a lock on what is read.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.scm import SCMError

    if not Path("dvc.yaml").exists():
        raise UserError("dvc.yaml is missing; run from the repository's root")
    raise_if_linked_outs()
    try:
        with _open_repo(filesystem) as repo:
            yield repo
    except LockError as error:
        busy = " ".join(
            str(error).partition("\n\n")[0].split()
        )  # then follows how to remove the lock, which is wrong here
        raise UserError(f"another DVC is at work here ({busy}); run this again when it has ended") from error
    except SCMError as error:
        require_commit()
        raise UserError(f"DVC cannot use the git repository here: {error}") from error
    except DvcException as error:
        causes = [str(exception) for exception in (error, error.__cause__) if exception]
        raise ConfigError("dvc.yaml does not fit params.yaml: " + ": ".join(causes)) from error


def _open_repo(filesystem: Any) -> Any:
    """Open DVC's repository here, which writes into DVC's site cache: a folder shared by all users and repositories.

    Raises:
        UserError: the site cache is another user's, or this user has no name for it.
    """
    from dvc.repo import Repo

    try:
        return Repo(".", fs=filesystem)
    except (KeyError, OSError, sqlite3.Error) as error:
        if "getpwuid" in str(error):
            raise UserError(f"DVC needs this user's name, and {os.getuid()} has none; export USER=me") from error
        folder = _find_site_cache()
        if not isinstance(error, sqlite3.Error) and folder not in str(error):
            raise
        raise UserError(
            f"DVC's site cache {folder} cannot be used by this user ({error}); "
            f"dvc config --local core.site_cache_dir {shlex.quote(str(Path('.dvc/tmp/site').resolve()))}"
        ) from error


def _find_site_cache() -> str:
    from dvc.config import Config
    from dvc.dirs import site_cache_dir

    return str(site_cache_dir(Config(".dvc")["core"].get("site_cache_dir")))


def read_from_commit(path: Path, commit: str) -> bytes:
    """Return the content of a file of a commit, from git or from DVC's cache.

    `dvc.api.read` cannot do this: it looks for the project of a commit only at git's top.

    Args:
        path: path of the file, relative to the project.
        commit: a commit of git.

    Raises:
        DvcException, FileNotFoundError: neither holds the file.
    """
    from dvc.fs import DVCFileSystem, GitFileSystem
    from dvc.repo import Repo
    from dvc.scm import SCM

    scm, (_, project) = SCM("."), locate_project()
    with Repo(f"/{project.as_posix()}", fs=GitFileSystem(scm=scm, rev=commit), scm=scm) as repo:
        content: bytes = DVCFileSystem(repo=repo).cat_file(path.as_posix())
    return content


def prefix_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that stages print, each with its stage in front, without DVC's own.

    Args:
        lines: output of `dvc repro` or `dvc exp run`.
    """
    stage = "dvc"
    for line in lines:
        if match := _STAGE_STARTED.match(line):
            stage = match[1]
        elif not _DVC_CHATTER.match(line):
            yield from (f"{stage} | {part.rstrip()}" for part in re.split(r"[\r\n]", line) if part.strip())
