"""The library of the pipeline: what the stage scripts, the command `vision` and notebooks import."""

import os

# ONNX Runtime and MLflow report to their makers. Each reads its variable when it is imported, hence here, before any
# module of the library can import it.
for _variable, _value in {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}.items():
    os.environ.setdefault(_variable, _value)
