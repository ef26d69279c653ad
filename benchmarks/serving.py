"""Requests per second that MLflow's server answers for a data set's champion, against onnxruntime called directly.

The server is `mlflow models serve models:/DATASET@champion`, on a free port of this machine; each request is one test
image, as JSON or as Parquet; each client sends its next when the last is answered, over one connection. Directly, the
same images go through the same ONNX file one by one. Run `vision champion` first.
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

from benchmarks.timing import in_turns
from stages.datasets.format import open_set
from stages.project.paths import PREPARED
from stages.tracking.store import tracking_uri

CLIENTS, ROUNDS, SECONDS_TO_START = (1, 4, 16), 3, 120
JSON, PARQUET = "application/json", "application/vnd.apache.parquet"


def as_json(images: np.ndarray) -> bytes:
    """A request's body of uint8 (N, H, W, C), as nested lists."""
    return json.dumps({"inputs": images.tolist()}).encode()


def as_parquet(images: np.ndarray) -> bytes:
    """A request's body of uint8 (N, H, W, C), a row each, flat."""
    file = io.BytesIO()
    pd.DataFrame({"pixels": list(images.reshape(len(images), -1))}).to_parquet(file)
    return file.getvalue()


@contextmanager
def server(model: str, store: str) -> Iterator[int]:
    """MLflow's server of a model, such as `models:/mnist@champion`, as long as the block lasts; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    own = {"MLFLOW_TRACKING_URI": store}
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


def post(connection: http.client.HTTPConnection, body: bytes, kind: str = JSON) -> tuple[int, Any]:
    """Status and answer; what is not JSON as text."""
    connection.request("POST", "/invocations", body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text) if text.startswith("{") else text


def ask(port: int, bodies: Sequence[bytes], kind: str = JSON) -> tuple[list[float], np.ndarray]:
    """Of one client: each request's seconds, and the logits (N, classes)."""
    connection, seconds, logits = http.client.HTTPConnection("127.0.0.1", port), [], []
    for body in bodies:
        started = time.perf_counter()
        status, answer = post(connection, body, kind)
        seconds.append(time.perf_counter() - started)
        if status != 200:
            raise SystemExit(f"the server answered {status}: {answer}")
        logits += answer["predictions"]["logits"]
    return seconds, np.array(logits)


def clients(port: int, bodies: Sequence[bytes], kind: str, count: int, seen: list[float]) -> float:
    """Requests per second of `count` clients at once; each request's seconds are added to `seen`."""
    started = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        for seconds, _ in pool.map(lambda client: ask(port, bodies[client::count], kind), range(count)):
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
    """Print the figures of each kind of request and number of clients, and of onnxruntime."""
    model, store = f"models:/{dataset}@champion", tracking_uri()
    session, seen = directly(model, store), defaultdict[str, list[float]](list)
    ways: dict[str, Callable[[], float]] = {"onnxruntime": lambda: one_by_one(session, images, seen["onnxruntime"])}
    with server(model, store) as port:
        for kind, encode in ((JSON, as_json), (PARQUET, as_parquet)):
            bodies = [encode(image[np.newaxis]) for image in images]
            ask(port, bodies[:10], kind)
            for count in CLIENTS:
                way = f"{kind.split('.')[-1].split('/')[-1]}, {count} at once"
                ways[way] = partial(clients, port, bodies, kind, count, seen[way])
        found = in_turns(ROUNDS, **ways)
    for way, rate in found.items():
        middle, most = 1000 * np.percentile(seen[way], [50, 95])
        ratio = rate / found["onnxruntime"]
        print(f"{way}: {rate:,.0f} images/s, {ratio:.2f} of onnxruntime; p50 {middle:.1f} ms, p95 {most:.1f} ms")


def main() -> None:
    """Measure the champion of a data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="mnist", help="a data set of images that has a champion")
    parser.add_argument("--images", type=int, default=200, help="test images that are sent in each round")
    asked = parser.parse_args()
    measure(asked.dataset, open_set(PREPARED / asked.dataset).inputs("test")[: asked.images])


if __name__ == "__main__":
    main()
