"""DVC experiments in a throw-away copy of the workspace; the result is a commit, read from git."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from vision_pipeline.cli.pipeline.dvc import PASSIVE_OMP_ENV, dvc_command, dvc_env
from vision_pipeline.config.load import PARAMS, parse_file, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock, wait_until
from vision_pipeline.core.logging import logger
from vision_pipeline.tracking.search import process_exists
from vision_pipeline.vcs.git import git_checked

_RWLOCK = Path(".dvc/tmp/rwlock")  # DVC notes here what the workspace's stages read and write
_NOT_A_NAME = re.compile(r"true|false|null|nan|inf|[\d_]+(e[\d_]+)?", re.IGNORECASE)  # names that Hydra reads as values
_START_LOCK = "experiment-begins"  # name of a lock, held while DVC stashes the workspace


def run_temp_experiment(
    name: str,
    settings: Iterable[str],
    stages: Sequence[str],
    print_lines: Callable[[Iterable[str]], None],
    *,
    extra_env: Mapping[str, str] | None = None,
) -> str:
    """Run `stages`, and what they need, as a DVC experiment.

    What DVC has in its cache, or a training in its state, is not computed again. An experiment of the same name and
    commit is replaced.

    Args:
        name: name of the DVC experiment.
        settings: settings in the form of `dvc exp run --set-param`.
        stages: names of the stages.
        print_lines: called with an iterator over the lines that DVC and the stages print.
        extra_env: more environment variables of the stages.

    Returns:
        The experiment's commit.

    Raises:
        UserError: a stage failed; what is done stays in DVC's cache.
    """
    ref = _make_experiment_ref(name)
    if git_checked("for-each-ref", ref):
        git_checked("update-ref", "-d", ref)
    options = [part for setting in settings for part in ("--set-param", setting)]
    logger.debug(f"dvc exp run --temp --name {name}: {' '.join(stages)}")
    with file_lock(_START_LOCK):
        _wait_for_stages()
        process = subprocess.Popen(
            dvc_command("--wait-for-lock", "exp", "run", "--temp", "--name", name, *options, *stages),
            env={**PASSIVE_OMP_ENV, **dvc_env(), **(extra_env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert process.stdout is not None
        first_lines = _read_until_started(process.stdout)
    print_lines(chain(first_lines, process.stdout))
    if process.wait():
        raise UserError(f"{name} failed, as said above; the same command goes on from there")
    return git_checked("rev-parse", ref).strip()


def read_workspace_params() -> Any:
    """Return the content of params.yaml, read while no experiment starts.

    `dvc exp run` stashes the workspace's changes for a moment, and writes an experiment's values into it.

    Raises:
        ConfigError: params.yaml is missing or is not YAML.
    """
    with file_lock(_START_LOCK, "begins an experiment"):
        return parse_file(PARAMS, safe_load)


def _read_until_started(lines: IO[str]) -> list[str]:
    """Read the lines up to the one that DVC prints once the workspace is restored; all, where DVC failed before."""
    read = []
    for line in iter(lines.readline, ""):
        read.append(line)
        if line.startswith("Reproducing experiment"):
            break
    return read


def _wait_for_stages() -> None:
    """Wait until no stage runs in the workspace: DVC would stash what it reads and writes while it runs."""
    wait_until(
        lambda: not any(map(process_exists, _find_writers())),
        "waiting for a stage that runs in this workspace",
        seconds=1,
    )


def _find_writers() -> set[int]:
    """Return the processes of the stages that run in the workspace, and of those that were killed there."""
    try:
        entries = json.loads(_RWLOCK.read_text(encoding="utf-8") or "{}").get("write", {})
    except (FileNotFoundError, ValueError):  # DVC is just writing it
        return set()
    return {int(entry["pid"]) for entry in entries.values()}


def to_hydra(value: Any) -> str:
    """Return a value in Hydra's grammar, for `dvc exp run --set-param`: JSON, but for keys and backslashes.

    Raises:
        UserError: a key would be read as a number or another value.
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{_check_key(key)}:{to_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(to_hydra, value)) + "]"
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str) -> str:
    """Return a text in quotes; a backslash is escaped only before a quote."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    return '"' + re.sub(r"(\\+)$", r"\1\1", escaped) + '"'


def _check_key(name: str) -> str:
    """Return a key, which cannot be quoted, unless Hydra would read it as a value."""
    if _NOT_A_NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be the name of anything in an experiment: DVC would read a value; rename it")
    return name


def _make_experiment_ref(name: str) -> str:
    """Return git's reference of the DVC experiment `name` of the present commit."""
    head = git_checked("rev-parse", "HEAD").strip()
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"
