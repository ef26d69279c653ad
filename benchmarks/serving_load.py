"""A champion under load: many clients at once, some of whose requests are bad, for minutes.

Every response is compared with onnxruntime's logits of the same image, every bad request must be refused by 400 or
415, and the memory of the server's processes is sampled. Run `vision champion` first.
"""

import argparse
import http.client
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import psutil

from benchmarks.serving import (
    JSON_TYPE,
    PARQUET_TYPE,
    encode_json,
    encode_parquet,
    open_onnx_session,
    post_request,
    serve_model,
)
from vision_pipeline.core.paths import PREPARED
from vision_pipeline.data.format import open_dataset
from vision_pipeline.tracking.store import tracking_uri

CLIENT_COUNTS, BAD_SHARE, LOGIT_TOLERANCE = (4, 16, 64), 0.05, 1e-3
BAD_BODIES = (
    b"",
    b"nonsense",
    b"{}",
    b'{"inputs": [[1]]}',
    b'{"inputs": "text"}',
    b'{"inputs": [[[[300]]]]}',
    b"[" * 500,
)
REFUSAL_STATUSES = (400, 415)


@dataclass
class ClientStats:
    """The responses that a client got.

    Attributes:
        seconds: seconds of each good request.
        wrong: number of good requests that got an error, or other logits than onnxruntime's.
        refused: number of bad requests that were refused.
        accepted: number of bad requests that were not.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    accepted: int = 0


@dataclass(frozen=True)
class RequestSet:
    """Good requests: each image's body, its expected logits, float (N, classes), and the bodies' content type."""

    bodies: Sequence[bytes]
    logits: np.ndarray
    content_type: str


def run_client(port: int, requests: RequestSet, seed: int, end: float) -> ClientStats:
    """Send requests until `end`, of `time.monotonic()`; a share of `BAD_SHARE` is bad."""
    stats, rng = ClientStats(), np.random.default_rng(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while time.monotonic() < end:
        if rng.random() < BAD_SHARE:
            status, _ = post_request(connection, BAD_BODIES[rng.integers(len(BAD_BODIES))], JSON_TYPE)
            stats.refused += status in REFUSAL_STATUSES
            stats.accepted += status not in REFUSAL_STATUSES
            continue
        row = int(rng.integers(len(requests.bodies)))
        started = time.perf_counter()
        status, response = post_request(connection, requests.bodies[row], requests.content_type)
        stats.seconds.append(time.perf_counter() - started)
        stats.wrong += not (status == 200 and _is_correct(response, requests.logits[row]))
    return stats


def _is_correct(response: object, expected: np.ndarray) -> bool:
    logits = response["predictions"]["logits"] if isinstance(response, dict) else []
    return np.shape(logits) == (1, len(expected)) and bool(np.allclose(logits[0], expected, atol=LOGIT_TOLERANCE))


def run_clients(port: int, requests: RequestSet, clients: int, seconds: float) -> list[ClientStats]:
    """Run several clients at once for some seconds; return the statistics of each."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda seed: run_client(port, requests, seed, end), range(clients)))


def format_stats(client_stats: Sequence[ClientStats], seconds: float) -> str:
    """Return throughput, latencies and errors in a line."""
    latencies_ms = 1000 * np.array([latency for stats in client_stats for latency in stats.seconds])
    p50, p99 = np.percentile(latencies_ms, [50, 99])
    wrong, refused, accepted = (
        sum(getattr(stats, key) for stats in client_stats) for key in ("wrong", "refused", "accepted")
    )
    return (
        f"{len(latencies_ms) / seconds:,.0f} images/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms; "
        f"{len(latencies_ms):,} answers, {wrong} wrong; {refused:,} bad requests refused, {accepted} not"
    )


class MemoryWatcher(threading.Thread):
    """A thread that samples the memory of this process's children, MiB, once a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[float] = []

    def run(self) -> None:
        """Append samples until the process ends."""
        while True:
            children = psutil.Process().children(recursive=True)
            self.samples.append(sum(child.memory_info().rss for child in children if child.is_running()) / 2**20)
            time.sleep(1)


def measure_under_load(dataset: str, images: np.ndarray, content_type: str, seconds: float) -> None:
    """Print throughput, latencies, errors and memory for each number of clients."""
    model, store = f"models:/{dataset}@champion", tracking_uri()
    session = open_onnx_session(model, store)
    logits = np.concatenate([session.run(None, {"pixels": image[np.newaxis]})[0] for image in images])
    encode = encode_parquet if content_type == PARQUET_TYPE else encode_json
    requests = RequestSet([encode(image[np.newaxis]) for image in images], logits, content_type)
    with serve_model(model, store) as port:
        run_clients(port, requests, 4, min(5.0, seconds))  # so that every worker has answered before the measurement
        memory = MemoryWatcher()
        memory.start()
        for clients in CLIENT_COUNTS:
            num_before = len(memory.samples)
            client_stats = run_clients(port, requests, clients, seconds)
            samples = memory.samples[num_before:]
            memory_text = f"{samples[0]:,.0f} MiB, then {samples[-1]:,.0f}"
            print(f"{clients} clients, {format_stats(client_stats, seconds)}; {memory_text}", flush=True)


def main() -> None:
    """Put the champion of a data set under load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="mnist", help="a data set of images that has a champion")
    parser.add_argument("--seconds", type=float, default=120, help="for each number of clients")
    parser.add_argument("--images", type=int, default=500, help="test images that are asked about")
    parser.add_argument("--json", action="store_true", help="as JSON; else as Parquet")
    args = parser.parse_args()
    images = open_dataset(PREPARED / args.dataset).inputs("test")[: args.images]
    measure_under_load(args.dataset, images, JSON_TYPE if args.json else PARQUET_TYPE, args.seconds)


if __name__ == "__main__":
    main()
