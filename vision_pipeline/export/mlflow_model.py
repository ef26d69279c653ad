"""The model as MLflow serves it: the ONNX file with signature, input example, class names and pinned requirements."""

import json
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from vision_pipeline.core.files import write_json
from vision_pipeline.core.logging import logger

_LOADER = Path(__file__).with_name("serving_loader.py")
_REQUIREMENTS = ("mlflow", "numpy", "onnx", "onnxruntime")
# Threads that spin while they wait for work would keep the cores of a busy server from reading the next request.
_SESSION_OPTIONS = {"extra_session_config": {"session.intra_op.allow_spinning": "0"}}


def log_served_model(client: Any, run_id: str, *, name: str, onnx_file: Path, inputs: np.ndarray) -> None:
    """Log a model that `mlflow models serve -m models:/ID --env-manager local` serves.

    The client leaves no run, experiment or store active. The requirements are listed here, because MLflow would
    otherwise infer them by running the model for seconds in a process of its own.

    Args:
        client: MLflow's client of the store.
        run_id: id of the model's run.
        name: name of the model.
        onnx_file: a file that `write_onnx` wrote.
        inputs: stored inputs; the first two, or the first 16 tokens of a text, become the input example.
    """
    import mlflow.onnx
    import onnx
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    run = client.get_run(run_id)
    logged = client.create_logged_model(run.info.experiment_id, name, source_run_id=run_id, params=run.data.params)
    mlflow_model = Model(
        artifact_path=logged.artifact_location, run_id=run_id, model_uuid=logged.model_id, model_id=logged.model_id
    )
    onnx_model = onnx.load(onnx_file)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        mlflow.onnx.save_model(
            onnx_model,
            path,
            mlflow_model=mlflow_model,
            signature=_make_signature(onnx_model.graph),
            input_example=np.array(inputs[:2] if inputs.ndim > 1 else inputs[np.newaxis, :16]),
            pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
            onnx_execution_providers=["CPUExecutionProvider"],
            onnx_session_options=_SESSION_OPTIONS,
            save_as_external_data=False,
            code_paths=[str(_LOADER)],
        )
        mlflow_model.flavors["python_function"]["loader_module"] = _LOADER.stem
        mlflow_model.save(str(path / "MLmodel"))
        write_json(path / "classes.json", _read_class_names(onnx_model))
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    logger.debug(f"{name}: logged the model to serve as models:/{logged.model_id}")


def _read_class_names(onnx_model: Any) -> list[str]:
    """Return the classes of an ONNX model in the order of its logits, from the metadata that `write_onnx` wrote."""
    (names,) = (entry.value for entry in onnx_model.metadata_props if entry.key == "class_names")
    return list(json.loads(names))


def _make_signature(graph: Any) -> Any:
    """Return the signature of an ONNX graph; its dynamic dimensions are -1."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec
    from onnx.helper import tensor_dtype_to_np_dtype

    def make_schema(values: Any) -> Any:
        tensor_types = ((value.name, value.type.tensor_type) for value in values)
        return Schema(
            [
                TensorSpec(
                    tensor_dtype_to_np_dtype(tensor_type.elem_type),
                    [dim.dim_value or -1 for dim in tensor_type.shape.dim],
                    name,
                )
                for name, tensor_type in tensor_types
            ]
        )

    return ModelSignature(make_schema(graph.input), make_schema(graph.output))
