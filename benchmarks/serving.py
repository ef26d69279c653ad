"""Requests per second of MLflow's server for a data set's champion, compared with onnxruntime called directly.

The server is `mlflow models serve models:/DATASET@champion`, on a free port of this machine; each request is one test
image, as JSON or as Parquet; each client sends the next request after the last response, over one connection. Directly,
the same images go through the same ONNX file one by one. Run `vision champion` first.
"""

import argparse
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.timing import measure_in_turns
from vision_pipeline.core.paths import PREPARED
from vision_pipeline.data.format import open_dataset
from vision_pipeline.tracking.store import tracking_uri

CLIENT_COUNTS, ROUNDS, SECONDS_TO_START = (1, 4, 16), 3, 120
JSON_TYPE, PARQUET_TYPE = "application/json", "application/vnd.apache.parquet"


def encode_json(images: np.ndarray) -> bytes:
    """Return a request's body of uint8 (N, H, W, C), as nested lists."""
    return json.dumps({"inputs": images.tolist()}).encode()


def encode_parquet(images: np.ndarray) -> bytes:
    """Return a request's body of uint8 (N, H, W, C), a flat row for each image."""
    file = io.BytesIO()
    pd.DataFrame({"pixels": list(images.reshape(len(images), -1))}).to_parquet(file)
    return file.getvalue()


@contextmanager
def serve_model(model: str, store: str) -> Iterator[int]:
    """Run MLflow's server of a model, such as `models:/mnist@champion`, inside the block; yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    overrides = {"MLFLOW_TRACKING_URI": store}
    overrides["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env=os.environ | overrides,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the server responds."""
    for _ in range(SECONDS_TO_START * 10):
        if process.poll() is not None:
            raise SystemExit(f"MLflow's server ended with {process.returncode}; is there a champion? `vision champion`")
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/ping")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the server has not started in {SECONDS_TO_START} s")


def post_request(connection: http.client.HTTPConnection, body: bytes, content_type: str = JSON_TYPE) -> tuple[int, Any]:
    """Return status and response; a response that is not JSON as text."""
    connection.request("POST", "/invocations", body, {"Content-Type": content_type})
    response = connection.getresponse()
    text = response.read().decode()
    return response.status, json.loads(text) if text.startswith("{") else text


def send_in_turn(port: int, bodies: Sequence[bytes], content_type: str = JSON_TYPE) -> tuple[list[float], np.ndarray]:
    """Send requests as one client; return each request's seconds, and the logits (N, classes)."""
    connection, seconds, logits = http.client.HTTPConnection("127.0.0.1", port), [], []
    for body in bodies:
        started = time.perf_counter()
        status, response = post_request(connection, body, content_type)
        seconds.append(time.perf_counter() - started)
        if status != 200:
            raise SystemExit(f"the server answered {status}: {response}")
        logits += response["predictions"]["logits"]
    return seconds, np.array(logits)


def measure_clients(
    port: int, bodies: Sequence[bytes], *, content_type: str, count: int, latencies: list[float]
) -> float:
    """Return the requests per second of `count` clients at once; append each request's seconds to `latencies`."""
    started = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        shares = [bodies[client::count] for client in range(count)]
        for seconds, _ in pool.map(lambda share: send_in_turn(port, share, content_type), shares):
            latencies += seconds
    return len(bodies) / (time.perf_counter() - started)


def open_onnx_session(model: str, store: str) -> Any:
    """Open the model's ONNX file as a session of onnxruntime."""
    import mlflow
    from onnxruntime import InferenceSession

    mlflow.set_tracking_uri(store)
    return InferenceSession(Path(mlflow.artifacts.download_artifacts(model)) / "model.onnx")


def measure_onnxruntime(session: Any, images: np.ndarray, latencies: list[float]) -> float:
    """Return the images per second through `session`, uint8 (N, H, W, C), one at a time."""
    started = time.perf_counter()
    for image in images:
        run_started = time.perf_counter()
        session.run(None, {"pixels": image[np.newaxis]})
        latencies.append(time.perf_counter() - run_started)
    return len(images) / (time.perf_counter() - started)


def measure_champion(dataset: str, images: np.ndarray) -> None:
    """Print throughput and latency of each kind of request and number of clients, and of onnxruntime."""
    model, store = f"models:/{dataset}@champion", tracking_uri()
    session, latencies = open_onnx_session(model, store), defaultdict[str, list[float]](list)
    variants: dict[str, Callable[[], float]] = {
        "onnxruntime": lambda: measure_onnxruntime(session, images, latencies["onnxruntime"])
    }
    with serve_model(model, store) as port:
        for content_type, encode in ((JSON_TYPE, encode_json), (PARQUET_TYPE, encode_parquet)):
            bodies = [encode(image[np.newaxis]) for image in images]
            send_in_turn(port, bodies[:10], content_type)
            for count in CLIENT_COUNTS:
                label = f"{content_type.split('.')[-1].split('/')[-1]}, {count} at once"
                variants[label] = partial(
                    measure_clients, port, bodies, content_type=content_type, count=count, latencies=latencies[label]
                )
        throughputs = measure_in_turns(ROUNDS, **variants)
    for label, throughput in throughputs.items():
        p50, p95 = 1000 * np.percentile(latencies[label], [50, 95])
        ratio = throughput / throughputs["onnxruntime"]
        print(f"{label}: {throughput:,.0f} images/s, {ratio:.2f} of onnxruntime; p50 {p50:.1f} ms, p95 {p95:.1f} ms")


def main() -> None:
    """Measure the champion of a data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="mnist", help="a data set of images that has a champion")
    parser.add_argument("--images", type=int, default=200, help="test images that are sent in each round")
    args = parser.parse_args()
    measure_champion(args.dataset, open_dataset(PREPARED / args.dataset).inputs("test")[: args.images])


if __name__ == "__main__":
    main()
