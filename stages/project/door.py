"""How a stage script begins and ends."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from stages.project.checkout import refuse_other_code
from stages.project.console import Refusal
from stages.project.durations import note_duration
from stages.project.files import disk_refuses
from stages.project.outs import refuse_linked_outs

_UNREPEATABLE = "does not have a deterministic implementation"  # torch's words


def open_door(main: Callable[[str], int | None], description: str, what: str) -> NoReturn:
    """Run a stage script: parse its one argument, call `main` with it, turn refusals into one line.

    Args:
        main: gives the epochs that the stage was asked for, where it has some.
        description: of the stage, for `--help`.
        what: its argument is.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=what)
    run_or_refuse(lambda: main(parser.parse_args().name))


def run_or_refuse(work: Callable[[], int | None]) -> NoReturn:
    """Exit with 0 after `work`, 1 with the message of its `Refusal`, the disk's or the device's, 130 after Ctrl-C.

    How long the work of a stage took, and of how many epochs `work` says that it was, is noted for `vision plan`.
    """
    opened = time.monotonic()
    try:
        refuse_other_code()
        if "DVC_STAGE" in os.environ:
            refuse_linked_outs()
        note_duration(opened, work())
    except Refusal as refusal:
        print(f"ERROR: {refusal}", file=sys.stderr, flush=True)
        sys.exit(1)
    except (OSError, RuntimeError) as error:
        if (said := disk_refuses(error) if isinstance(error, OSError) else _unrepeatable(error)) is None:
            raise
        print(f"ERROR: {said}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr, flush=True)
        sys.exit(130)
    sys.exit(0)


def _unrepeatable(error: RuntimeError) -> str | None:
    """What to say of an operation that gives other bits each time; None where the error is another one."""
    operation, words, _ = str(error).partition(_UNREPEATABLE)
    if not words:
        return None
    return f"{operation}{words} here; `deterministic: false` in params.yaml allows it, with other bits each time"
