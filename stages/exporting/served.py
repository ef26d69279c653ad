"""The model as MLflow serves it: the ONNX file with signature, input example and pinned requirements."""

from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stages.exporting.formats import INPUT, OUTPUT

_REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")


def log_served_model(client: Any, run_id: str, name: str, onnx_file: Path, example: np.ndarray, classes: int) -> None:
    """Log a model that `mlflow models serve -m models:/ID --env-manager local` serves.

    It goes through the client, which leaves no run, experiment or store active, and names its requirements,
    which MLflow would else find out by running the model in a process of its own for seconds.

    Args:
        client: MLflow's, of the store.
        run_id: of the model's run.
        name: of the model.
        onnx_file: as `write_onnx` made it.
        example: uint8 (2, H, W, C).
        classes: the number of logits.
    """
    import mlflow.onnx
    import onnx
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run = client.get_run(run_id)
    logged = client.create_logged_model(run.info.experiment_id, name, source_run_id=run_id, params=run.data.params)
    about = Model(
        artifact_path=logged.artifact_location, run_id=run_id, model_uuid=logged.model_id, model_id=logged.model_id
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        mlflow.onnx.save_model(
            onnx.load(onnx_file),
            path,
            mlflow_model=about,
            signature=_signature(example, classes),
            input_example=example,
            pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])


def _signature(example: np.ndarray, classes: int) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    pixels = TensorSpec(np.dtype(np.uint8), (-1, *example.shape[1:]), INPUT)
    return ModelSignature(Schema([pixels]), Schema([TensorSpec(np.dtype(np.float32), (-1, classes), OUTPUT)]))
