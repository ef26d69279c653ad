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
        main: gives the epochs that the stage was asked for, where it has some.
        description: of the stage, for `--help`.
        argument_help: its argument is.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=argument_help)
    run_with_exit_code(lambda: main(parser.parse_args().name))


def run_with_exit_code(main: Callable[[], int | None]) -> NoReturn:
    """Exit with 0 after `main`, 1 with the message of its `UserError`, the disk's or the device's, 130 after Ctrl-C.

    How long the work of a stage took, and of how many epochs `main` says that it was, is noted for `vision plan`.
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
        if (
            message := format_os_error(error) if isinstance(error, OSError) else _format_nondeterminism_error(error)
        ) is None:
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
