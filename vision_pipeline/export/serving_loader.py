"""The loader that a served model brings along: MLflow's own of ONNX files, with ONNX Runtime's telemetry switched off.

It is copied into the logged model, and imported where this project is not: it imports nothing of the project.
"""

import os
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported, which MLflow does late


def _load_pyfunc(path: str) -> Any:
    """Return the model in `path` as MLflow's server calls it; MLflow looks for a function of this name."""
    import mlflow.onnx

    return mlflow.onnx._load_pyfunc(path)
