"""The model that MLflow serves: logged, loaded as the server loads it, and served."""

import http.client
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from no_network import hosts, without_network
from tiny_model import CLASSES, images, tiny_checkpoint

from benchmarks.serving import PARQUET_TYPE, encode_json, encode_parquet, post_request, send_in_turn, serve_model
from vision_pipeline.export.formats import export_program, write_onnx
from vision_pipeline.export.mlflow_model import log_served_model
from vision_pipeline.models.checkpoint import build_pixel_model


def log_model(folder: Path, network: torch.nn.Module, pixels: np.ndarray) -> tuple[Any, str]:
    """Log `network`; return the MLflow client and the id of the run."""
    write_onnx(folder / "model.onnx", export_program(network, [8, 8, 1], 2), {"class_names": CLASSES})
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.create_experiment("any", (folder / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.set_terminated(run)
    log_served_model(client, run, name="small", onnx_file=folder / "model.onnx", inputs=pixels)
    return client, run


def test_the_model_is_logged_under_its_run_and_takes_any_number_of_images(tmp_path: Path) -> None:
    network, (pixels, _) = build_pixel_model(tiny_checkpoint()), images(5)
    client, run = log_model(tmp_path, network, pixels)
    experiment = client.get_run(run).info.experiment_id
    assert mlflow.active_run() is None
    assert client.get_run(run).info.status == "FINISHED"
    (logged,) = client.search_logged_models([experiment])
    assert (logged.name, logged.source_run_id, str(logged.status)) == ("small", run, "READY")
    model = mlflow.pyfunc.load_model(logged.artifact_location)
    assert model.metadata.flavors["onnx"]["onnx_session_options"] == {
        "extra_session_config": {"session.intra_op.allow_spinning": "0"}
    }
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


def test_the_logged_model_names_its_classes_in_the_order_of_the_logits(tmp_path: Path) -> None:
    client, run = log_model(tmp_path, build_pixel_model(tiny_checkpoint()), images(5)[0])
    (model,) = client.search_logged_models([client.get_run(run).info.experiment_id])
    folder = Path(model.artifact_location.removeprefix("file://"))
    assert json.loads((folder / "classes.json").read_text()) == CLASSES


def test_a_served_model_reports_to_nobody_where_this_project_is_not(tmp_path: Path) -> None:
    client, run = log_model(tmp_path, build_pixel_model(tiny_checkpoint()), images(5)[0])
    (model,) = client.search_logged_models([client.get_run(run).info.experiment_id])
    script = (
        "import mlflow, numpy, sys\n"
        f"mlflow.pyfunc.load_model({model.artifact_location!r}).predict(numpy.zeros((1, 8, 8, 1), 'uint8'))\n"
        "assert 'onnxruntime' in sys.modules and not {'stages', 'vision_pipeline'} & set(sys.modules)"
    )
    cache = tmp_path / "cache"
    quiet = {"XDG_CACHE_HOME": str(cache), "MLFLOW_DISABLE_TELEMETRY": "true"}
    hosts_file = tmp_path / "hosts"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=without_network(hosts_file, **quiet), check=True)
    assert hosts(hosts_file) == set()
    assert not (cache / "Microsoft").exists()


@pytest.mark.slow
def test_the_server_answers_good_and_bad_requests_and_stays_up(tmp_path: Path) -> None:
    network, (pixels, _) = build_pixel_model(tiny_checkpoint()), images(5)
    client, run = log_model(tmp_path, network, pixels)
    (model,) = client.search_logged_models([client.get_run(run).info.experiment_id])
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels)).numpy()
    bad = {
        encode_json(pixels[:, :4]): (400, "Shape of input (5, 4, 8, 1) does not match expected shape (-1, 8, 8, 1)"),
        encode_json(pixels[0]): (400, "Shape of input (8, 8, 1) does not match"),
        encode_json(pixels.astype(int) + 300): (400, "out of bounds for uint8"),
        b'{"inputs": "hello"}': (400, "Failed to convert data `hello`"),
        b'{"inputs": [[1], [1, 2]]}': (400, "inhomogeneous shape"),
        b'{"images": []}': (400, "exactly one of the input fields"),
        b"not JSON": (400, "valid JSON"),
        b"a" * 50_000_000: (400, "valid JSON"),
        b"": (400, "valid JSON"),
    }
    with serve_model(f"models:/{model.model_id}", f"sqlite:///{tmp_path / 'mlflow.db'}") as port:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body, (status, message) in bad.items():
            response = post_request(connection, body)
            assert (response[0], message in response[1]["message"]) == (status, True), response
        assert post_request(connection, b"GIF89a", "image/gif")[0] == 415
        for wrong in (pixels[:, :4], pixels / 255, pixels.astype(int) + 300):
            assert post_request(connection, encode_parquet(wrong), PARQUET_TYPE)[0] == 400
        status, answer = post_request(connection, encode_json(pixels))
        assert status == 200
        np.testing.assert_allclose(answer["predictions"]["logits"], expected, atol=1e-5)
        np.testing.assert_allclose(send_in_turn(port, [encode_parquet(pixels)], PARQUET_TYPE)[1], expected, atol=1e-5)
        with ThreadPoolExecutor(16) as pool:
            answers = list(
                pool.map(lambda number: send_in_turn(port, [encode_json(pixels[number % 5][np.newaxis])]), range(64))
            )
        np.testing.assert_allclose(np.concatenate([a[1] for a in answers]), np.resize(expected, (64, 2)), atol=1e-5)
