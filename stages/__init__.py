"""An image-classification pipeline: one script here for each stage of `dvc.yaml`."""

import gc
import os
import sys
import time
from types import TracebackType

if sys.version_info < (3, 11):  # noqa: UP036  the python on PATH may be any
    sys.exit(f"ERROR: {sys.executable} is older than Python 3.11; activate the environment: . .venv/bin/activate")

STARTED = time.monotonic()  # when this process did, as near as it can tell

# ONNX Runtime and MLflow report to their makers. Each reads its variable when it is imported, hence here, where every
# stage, command and benchmark begins.
for _variable, _value in {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}.items():
    os.environ.setdefault(_variable, _value)

# Importing torch and MLflow makes a million objects, all of which stay: by default the collector would look
# through them time and again, a quarter of the time in which a stage starts.
gc.set_threshold(200_000, 50, 50)

if "DVC_STAGE" in os.environ:
    # Now, and not once torch is there, seconds later: a stage that outlived its DVC would write to the outs of the
    # next one.
    from stages.project.stopping import die_with_parent

    die_with_parent()


def _print_missing_package(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from stages.project.missing import missing_package

    line = missing_package(error)
    if line:
        print(f"ERROR: {line}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# Packages are imported at the top of the stage scripts, before anything there could catch the error.
sys.excepthook = _print_missing_package
