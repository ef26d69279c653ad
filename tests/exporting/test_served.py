"""The model in MLflow, loaded again as its server loads it."""

from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from tiny_model import images, tiny_checkpoint

from stages.exporting.formats import trace, write_onnx
from stages.exporting.served import log_served_model
from stages.models.checkpoint import from_pixels


def test_the_model_is_logged_under_its_run_and_takes_any_number_of_images(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint()
    network, (pixels, _) = from_pixels(checkpoint), images(5)
    write_onnx(tmp_path / "model.onnx", trace(network, [8, 8, 1], 2), {})
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.create_experiment("any", (tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.set_terminated(run)

    log_served_model(client, run, "small", tmp_path / "model.onnx", pixels)

    assert mlflow.active_run() is None
    assert client.get_run(run).info.status == "FINISHED"
    (logged,) = client.search_logged_models([experiment])
    assert (logged.name, logged.source_run_id, str(logged.status)) == ("small", run, "READY")
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    assert str(model.metadata.signature.inputs) == "['pixels': Tensor('uint8', (-1, 8, 8, 1))]"
    assert str(model.metadata.signature.outputs) == "['logits': Tensor('float32', (-1, 2))]"
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(model.predict(pixels)["logits"], expected, atol=1e-5)
    assert model.input_example["pixels"].shape == (2, 8, 8, 1)
    requirements = Path(logged.artifact_location.removeprefix("file://"), "requirements.txt").read_text().splitlines()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "numpy", "onnx", "onnxruntime"]
    with pytest.raises(mlflow.MlflowException, match="does not match expected shape"):
        model.predict(pixels[:, :4])
