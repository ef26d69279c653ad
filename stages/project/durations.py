"""How long stages took here, for `vision plan`: a file that neither git nor DVC sees, for no result depends on it."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import stages
from stages.project.console import warn
from stages.project.files import write_json
from stages.project.locks import exclusive
from stages.project.paths import home

_KEPT = 5  # of each stage


@dataclass(frozen=True)
class Duration:
    """How long a stage took, without DVC's own work before and after it.

    Attributes:
        start: seconds until its work began: imports.
        work: seconds of its work.
        epochs: that it was asked for; None where it has none.
    """

    start: float
    work: float
    epochs: int | None


def note_duration(opened: float, epochs: int | None) -> None:
    """Note how long DVC's stage that runs in this process took; nothing where DVC did not begin it.

    Args:
        opened: when its work began, of `time.monotonic()`.
        epochs: that it was asked for, None where it has none.
    """
    if stage := os.environ.get("DVC_STAGE", "").removeprefix("dvc.yaml:"):
        start, work = opened - stages.STARTED, time.monotonic() - opened
        try:
            _add(stage, Duration(round(start, 3), round(work, 3), epochs))
        except OSError as error:  # the stage has succeeded
            warn(f"{_file()} could not be written ({error.strerror}): `vision plan` does not learn of {stage}")


def durations() -> dict[str, list[Duration]]:
    """By stage, how long it took the last times, the latest last."""
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
        return {stage: [Duration(**one) for one in kept] for stage, kept in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        warn(f"{_file()} is not as this version writes it ({error}) and counts as empty")
        return {}


def _add(stage: str, duration: Duration) -> None:
    with exclusive("durations"):
        known = durations()
        known[stage] = [*known.get(stage, []), duration][-_KEPT:]
        write_json(_file(), {name: [asdict(one) for one in kept] for name, kept in sorted(known.items())})


def _file() -> Path:
    return home() / ".cache" / "durations.json"
