"""Notes what a stage's process imports and writes; put on PYTHONPATH by the tests of the pipeline."""

import atexit
import json
import os
import sys
import uuid
from pathlib import Path

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_written: set[str] = set()


def _watch(event: str, arguments: tuple) -> None:
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & _WRITING:
        _written.add(os.path.abspath(arguments[0]))  # noqa: PTH100 - no pathlib inside an audit hook
    elif event == "os.rename":
        _written.add(os.path.abspath(os.fspath(arguments[1])))  # noqa: PTH100


def _dump(folder: str) -> None:
    modules = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    note = {
        "stage": os.environ["DVC_STAGE"],
        "modules": sorted(
            file for name, file in modules.items() if name.startswith(("stages.", "vision_pipeline.")) and file
        ),
        "heavy": sorted(name for name in ("torch", "mlflow") if name in sys.modules),
        "written": sorted(_written),
    }
    Path(folder, f"{uuid.uuid4().hex}.json").write_text(json.dumps(note))


if "TRACE_FOLDER" in os.environ and "DVC_STAGE" in os.environ:
    sys.addaudithook(_watch)
    atexit.register(_dump, os.environ["TRACE_FOLDER"])
