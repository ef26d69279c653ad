"""Requests per second that MLflow's server answers for a data set's champion, against onnxruntime called directly.

The server is `mlflow models serve models:/DATASET@champion`, on a free port of this machine; each request is one test
image as JSON, each client sends its next when the last is answered, over one connection. Directly, the same images go
through the same ONNX file one by one. Run `vision champion` first.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import in_turns
from stages.datasets.format import open_set
from stages.project.paths import PREPARED
from stages.tracking.store import tracking_uri

CLIENTS, ROUNDS, SECONDS_TO_START = (1, 4, 16), 3, 120


@contextmanager
def server(model: str, store: str) -> Iterator[int]:
    """MLflow's server of a model, such as `models:/mnist@champion`, as long as the block lasts; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    own = {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [*command, "--port", str(port)], env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until the server answers."""
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


def post(connection: http.client.HTTPConnection, body: bytes, kind: str = "application/json") -> tuple[int, Any]:
    """Status and answer; what is not JSON as text."""
    connection.request("POST", "/invocations", body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def ask(port: int, bodies: Sequence[bytes]) -> tuple[list[float], np.ndarray]:
    """Of one client: each request's seconds, and the logits (N, classes)."""
    connection, seconds, logits = http.client.HTTPConnection("127.0.0.1", port), [], []
    for body in bodies:
        started = time.perf_counter()
        status, answer = post(connection, body)
        seconds.append(time.perf_counter() - started)
        if status != 200:
            raise SystemExit(f"the server answered {status}: {answer}")
        logits += answer["predictions"]["logits"]
    return seconds, np.array(logits)


def clients(port: int, bodies: Sequence[bytes], count: int, seen: list[float]) -> float:
    """Requests per second of `count` clients at once; each request's seconds are added to `seen`."""
    started = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        for seconds, _ in pool.map(lambda client: ask(port, bodies[client::count]), range(count)):
            seen += seconds
    return len(bodies) / (time.perf_counter() - started)


def directly(model: str, store: str) -> Any:
    """The model's ONNX file as a session of onnxruntime."""
    import mlflow
    from onnxruntime import InferenceSession

    mlflow.set_tracking_uri(store)
    return InferenceSession(Path(mlflow.artifacts.download_artifacts(model)) / "model.onnx")


def one_by_one(session: Any, images: np.ndarray, seen: list[float]) -> float:
    """Images per second through `session`, uint8 (N, H, W, C), one at a time."""
    started = time.perf_counter()
    for image in images:
        before = time.perf_counter()
        session.run(None, {"pixels": image[np.newaxis]})
        seen.append(time.perf_counter() - before)
    return len(images) / (time.perf_counter() - started)


def measure(dataset: str, images: np.ndarray) -> None:
    """Print the figures of each number of clients, and of onnxruntime."""
    model, store = f"models:/{dataset}@champion", tracking_uri()
    bodies = [json.dumps({"inputs": image[np.newaxis].tolist()}).encode() for image in images]
    session, seen = directly(model, store), {f"{count} clients": list[float]() for count in CLIENTS}
    seen["onnxruntime"] = []
    with server(model, store) as port:
        ask(port, bodies[:10])
        ways = {f"{n} clients": lambda n=n: clients(port, bodies, n, seen[f"{n} clients"]) for n in CLIENTS}
        found = in_turns(ROUNDS, onnxruntime=lambda: one_by_one(session, images, seen["onnxruntime"]), **ways)
    for way, rate in found.items():
        middle, most = 1000 * np.percentile(seen[way], [50, 95])
        ratio = rate / found["onnxruntime"]
        print(f"{way}: {rate:,.0f} images/s, {ratio:.2f} of onnxruntime; p50 {middle:.1f} ms, p95 {most:.1f} ms")


def main() -> None:
    """Measure the champion of a data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="mnist", help="a data set of images that has a champion")
    parser.add_argument("--images", type=int, default=500, help="test images that are sent in each round")
    asked = parser.parse_args()
    measure(asked.dataset, open_set(PREPARED / asked.dataset).inputs("test")[: asked.images])


if __name__ == "__main__":
    main()
