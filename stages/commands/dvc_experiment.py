"""A DVC experiment beside the workspace: run in a throw-away copy, then read from git."""

import json
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.commands.dvc import YIELDING, command, environment
from stages.project.console import Refusal


def run_beside(
    name: str,
    settings: Iterable[str],
    stages: Sequence[str],
    show: Callable[[Iterable[str]], None],
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run `stages`, and what they need, as the DVC experiment `name`; the commit that it ends in.

    What DVC or a training's state knows already is not computed again. An experiment of the same name and commit is
    replaced.

    Args:
        name: of the DVC experiment.
        settings: as `dvc exp run --set-param` takes them.
        stages: that are wanted.
        show: called with the lines that DVC and the stages print, as they come.
        variables: more of the environment that the stages see.

    Raises:
        Refusal: a stage failed; what is done stays in DVC's cache.
    """
    reference = _reference(name)
    if git("for-each-ref", reference):
        git("update-ref", "-d", reference)
    options = [part for one in settings for part in ("--set-param", one)]
    process = subprocess.Popen(
        command("--wait-for-lock", "exp", "run", "--temp", "--name", name, *options, *stages),
        env={**YIELDING, **environment(), **(variables or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    show(process.stdout)
    if process.wait():
        raise Refusal(f"{name} failed, as said above; the same command goes on from there")
    return git("rev-parse", reference).strip()


def hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run --set-param`: JSON, with keys that are not quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{hydra(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(hydra, value)) + "]"
    return json.dumps(value)


def file_of(commit: str, path: Path) -> str:
    """A text file's content in a commit."""
    return git("show", f"{commit}:{path.as_posix()}")


def git(*arguments: str) -> str:
    """What git answers.

    Raises:
        Refusal: it failed; the message has its own.
    """
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def _reference(name: str) -> str:
    """Where git keeps the DVC experiment `name` of the present commit."""
    head = git("rev-parse", "HEAD").strip()
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"
