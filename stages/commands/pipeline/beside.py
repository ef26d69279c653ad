"""A DVC experiment beside the workspace: run in a throw-away copy, then read from git."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from stages.commands.pipeline.dvc import YIELDING, command, environment
from stages.params.load import PARAMS, parsed
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal, say
from stages.project.locks import exclusive
from stages.tracking.git import asked_git
from stages.tracking.search import alive

_RUNNING = Path(".dvc/tmp/rwlock")  # where DVC notes what the workspace's stages are reading and writing
_NO_NAME = re.compile(r"true|false|null|nan|inf|[\d_]+(e[\d_]+)?", re.IGNORECASE)  # of what `Name` allows
_BEGINNING = "experiment-begins"  # a lock of this name is held while DVC puts the workspace aside


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
    if asked_git("for-each-ref", reference):
        asked_git("update-ref", "-d", reference)
    options = [part for one in settings for part in ("--set-param", one)]
    with exclusive(_BEGINNING):
        _wait_for_stages()
        process = subprocess.Popen(
            command("--wait-for-lock", "exp", "run", "--temp", "--name", name, *options, *stages),
            env={**YIELDING, **environment(), **(variables or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert process.stdout is not None
        beginning = _until_begun(process.stdout)
    show(chain(beginning, process.stdout))
    if process.wait():
        raise Refusal(f"{name} failed, as said above; the same command goes on from there")
    return asked_git("rev-parse", reference).strip()


def params_here() -> Any:
    """What params.yaml says, while no experiment begins.

    `dvc exp run` puts the workspace's changes aside for a moment, and writes an experiment's values into it.

    Raises:
        Refusal: as `parsed`.
    """
    with exclusive(_BEGINNING, "begins an experiment"):
        return parsed(PARAMS, read_yaml)


def _until_begun(lines: IO[str]) -> list[str]:
    """The lines up to the one that DVC prints once the workspace is as it was; all, where it did not get so far."""
    read = []
    for line in iter(lines.readline, ""):
        read.append(line)
        if line.startswith("Reproducing experiment"):
            break
    return read


def _wait_for_stages() -> None:
    """Wait until no stage runs in the workspace: what it reads and writes would be put aside in the middle of it."""
    told = False
    while any(map(alive, _writers())):
        if not told:
            say("waiting for a stage that runs in this workspace")
        told = True
        time.sleep(1)


def _writers() -> set[int]:
    """The processes of the stages that run in the workspace, and of those that were killed there."""
    try:
        writing = json.loads(_RUNNING.read_text(encoding="utf-8") or "{}").get("write", {})
    except (FileNotFoundError, ValueError):  # DVC is just writing it
        return set()
    return {int(one["pid"]) for one in writing.values()}


def hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run --set-param`, Hydra's: JSON, but for keys, and for backslashes.

    Raises:
        Refusal: a key would become a number or another value that is no name.
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{_key(key)}:{hydra(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(hydra, value)) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """A backslash stands for itself, unless a quote follows."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'


def _key(name: str) -> str:
    """A key, which cannot be quoted."""
    if _NO_NAME.fullmatch(name):
        raise Refusal(f"{name!r} cannot be the name of anything in an experiment: DVC would read a value; rename it")
    return name


def _reference(name: str) -> str:
    """Where git keeps the DVC experiment `name` of the present commit."""
    head = asked_git("rev-parse", "HEAD").strip()
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"
