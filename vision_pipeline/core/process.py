"""The start of a process of the project: garbage collector, logging, parent process, missing packages."""

import gc
import os
import sys
import time
from types import TracebackType

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.logging import setup_logging

PROCESS_START = time.monotonic()  # as near as a process can tell: stages and commands import this module first


def setup_process() -> None:
    """Prepare this process for the work of a stage, a command or a benchmark; a notebook does not need it."""
    # Importing torch and MLflow makes a million objects, all of which stay. With its default thresholds the collector
    # would visit them again and again, which takes a quarter of a stage's start.
    gc.set_threshold(200_000, 50, 50)
    try:
        setup_logging()
    except ConfigError as error:
        sys.exit(f"ERROR: {error}")
    # Packages are imported at the top of the stage scripts, before anything there could catch the error.
    sys.excepthook = _print_missing_package
    if "DVC_STAGE" in os.environ:
        # Before torch is imported, which takes seconds: a stage that outlived its DVC would write to the outs of the
        # next one.
        from vision_pipeline.core.signals import set_parent_death_signal

        set_parent_death_signal()


def _print_missing_package(
    error_type: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    from vision_pipeline.core.environment import explain_missing_package

    if message := explain_missing_package(error):
        print(f"ERROR: {message}", file=sys.stderr)
    else:
        sys.__excepthook__(error_type, error, traceback)
