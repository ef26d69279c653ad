"""A clean clone of a commit, in which stages of its dvc.lock are run again without touching the repository here."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.commands.pipeline.dvc import command, environment, repository
from stages.commands.pipeline.lines import named
from stages.project.console import Refusal, say
from stages.sources.mirror import VARIABLE, mirror_root
from stages.tracking.git import asked_git, top_and_project

STATE = Path(".dvc/tmp/state")  # where the clone's DVC remembers which files have which hash
# Nothing in it names a folder outside of the clone: a path can hold what DVC's settings cannot.
_SETTINGS = f"""[core]
    analytics = false
    check_update = false
    site_cache_dir = {STATE}
[cache]
    dir = cache
    type = "reflink,copy"
"""
# what DVC tells a stage's process; this command may run in one
_OF_A_STAGE = ("DVC_STAGE", "DVC_EXP_", "DVC_SITE_CACHE_DIR")


@contextmanager
def clean_clone(commit: str) -> Iterator[Path]:
    """A clone of the repository here at `commit`, in a temporary folder; it reads DVC's cache here.

    Files are copied out of the cache, so that nothing in the clone is a link to it. DVC starts nothing there that
    outlives it, to report or to look for a newer DVC: that writes into the folder while it is removed.
    """
    with repository() as repo:
        cache = Path(repo.cache.local_cache_dir)
    top, project = top_and_project()
    with TemporaryDirectory(prefix="vision-verify-") as folder:
        clone = Path(folder).resolve() / "clone"
        quietly = ("--config", "core.autocrlf=false", "--quiet", "--shared", "--no-checkout")
        asked_git("clone", *quietly, str(top), str(clone))
        asked_git("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        root = clone / project
        if not (root / ".dvc").is_dir():
            raise Refusal(f"commit {commit[:12]} has no {project / '.dvc'}; name one that has this project, by --rev")
        if cache.is_dir():
            (root / ".dvc/cache").symlink_to(cache)
        (root / ".dvc/config.local").write_text(_SETTINGS)
        yield root


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
