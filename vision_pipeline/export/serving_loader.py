"""The loader of a served model: MLflow's own loader of ONNX files, with the telemetry of ONNX Runtime switched off.

The file is copied into each logged model and imported where this project is not installed, so it imports nothing of it.
MLflow finds it by its name, which the MLmodel file of older models holds, too.
"""

import os
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported, which MLflow does late


def _load_pyfunc(path: str) -> Any:
    """Return the model in `path` in the form that MLflow's server calls. MLflow looks for a function of this name."""
    import mlflow.onnx

    return mlflow.onnx._load_pyfunc(path)
