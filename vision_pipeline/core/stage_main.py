"""The start and the end of a stage script."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from vision_pipeline.core.environment import raise_if_other_checkout
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import format_os_error
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import raise_if_linked_outs
from vision_pipeline.core.timings import record_timing

_NONDETERMINISTIC = "does not have a deterministic implementation"  # torch's words


def run_stage(main: Callable[[str], int | None], description: str, argument_help: str) -> NoReturn:
    """Run a stage script: parse its one argument, call `main` with it, print expected errors as one line.

    Args:
        main: returns the number of epochs of the stage, None where it has none.
        description: the stage's text in `--help`.
        argument_help: the argument's text in `--help`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=argument_help)
    run_with_exit_code(lambda: main(parser.parse_args().name))


def run_with_exit_code(main: Callable[[], int | None]) -> NoReturn:
    """Call `main` and exit: with 0, with 1 and the line of an expected error, or with 130 after Ctrl-C.

    Expected errors are `UserError`, those of the disk, and operations that are not deterministic. The duration of a
    stage and the number of its epochs, which `main` returns, are recorded for `vision plan`.
    """
    start_time = time.monotonic()
    try:
        raise_if_other_checkout()
        if "DVC_STAGE" in os.environ:
            raise_if_linked_outs()
        record_timing(start_time, main())
    except UserError as user_error:
        logger.error(user_error)
        sys.exit(1)
    except (OSError, RuntimeError) as error:
        message = format_os_error(error) if isinstance(error, OSError) else _format_nondeterminism_error(error)
        if message is None:
            raise
        logger.error(message)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr, flush=True)
        sys.exit(130)
    sys.exit(0)


def _format_nondeterminism_error(error: RuntimeError) -> str | None:
    """Return the line for an operation that is not deterministic; None where the error is another one."""
    operation, reason, _ = str(error).partition(_NONDETERMINISTIC)
    if not reason:
        return None
    return f"{operation}{reason} here; `deterministic: false` in params.yaml allows it, with other bits each time"
