"""Read the files of a folder as a stage reads params.yaml, in a process that may use so much time and memory."""

import json
import resource
import signal
import sys
import traceback
from pathlib import Path

from vision_pipeline.config.load import list_validation_errors, load_params
from vision_pipeline.core.errors import UserError

_BYTES = 2 << 30
_SECONDS = 30  # of the processor, for one file; the signal ends the process


def _answer(path: Path) -> dict[str, str | list[str]]:
    try:
        wrong = list_validation_errors(path)
        return {"problems": wrong} if wrong else {"values": str(load_params("seed", "models", path=path))}
    except UserError as refusal:
        return {"refused": str(refusal)}
    except BaseException:
        return {"crashed": traceback.format_exc()}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        print(json.dumps({"file": path.name, **_answer(path)}), flush=True)
