"""Times that stages took here, for `vision plan`: a file outside git and DVC, because no result depends on it."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vision_pipeline.core.files import write_json
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root
from vision_pipeline.core.process import PROCESS_START

_MAX_TIMINGS_PER_STAGE = 5
_FIELDS = {"start": "startup_s", "work": "run_s"}  # the file's keys


@dataclass(frozen=True)
class StageTiming:
    """The time that a stage took, without DVC's own work before and after it.

    Attributes:
        startup_s: seconds until its work began: imports.
        run_s: seconds of its work.
        epochs: number of epochs of a training; None where the stage is none.
    """

    startup_s: float
    run_s: float
    epochs: int | None


def record_timing(start_time: float, epochs: int | None) -> None:
    """Record how long the stage took that DVC runs in this process; do nothing where DVC did not start it.

    Args:
        start_time: the start of its work, by `time.monotonic()`.
        epochs: number of epochs of a training, None where the stage is none.
    """
    if stage := os.environ.get("DVC_STAGE", "").removeprefix("dvc.yaml:"):
        startup_s, run_s = start_time - PROCESS_START, time.monotonic() - start_time
        logger.debug(f"{stage}: started in {startup_s:.1f} s, ran for {run_s:.1f} s")
        try:
            _append_timing(stage, StageTiming(round(startup_s, 3), round(run_s, 3), epochs))
        except OSError as error:  # the stage has succeeded
            logger.warning(
                f"{_timings_file()} could not be written ({error.strerror}): `vision plan` does not learn of {stage}"
            )


def load_timings() -> dict[str, list[StageTiming]]:
    """Return by stage its last timings, the latest last."""
    try:
        content = json.loads(_timings_file().read_text(encoding="utf-8"))
        return {stage: [_from_json(record) for record in records] for stage, records in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError) as error:
        logger.warning(f"{_timings_file()} is not as this version writes it ({error}) and counts as empty")
        return {}


def _append_timing(stage: str, timing: StageTiming) -> None:
    with file_lock("durations"):
        timings = load_timings()
        timings[stage] = [*timings.get(stage, []), timing][-_MAX_TIMINGS_PER_STAGE:]
        write_json(
            _timings_file(),
            {stage_name: [_to_json(entry) for entry in entries] for stage_name, entries in sorted(timings.items())},
        )


def _to_json(timing: StageTiming) -> dict[str, float | int | None]:
    return {"start": timing.startup_s, "work": timing.run_s, "epochs": timing.epochs}


def _from_json(record: dict[str, Any]) -> StageTiming:
    return StageTiming(**{_FIELDS.get(key, key): value for key, value in record.items()})


def _timings_file() -> Path:
    return repo_root() / ".cache" / "durations.json"
