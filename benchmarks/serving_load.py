"""A champion under load: many clients at once, some of whose requests are bad, for minutes.

Every answer is compared with what onnxruntime says of the same image, every bad request must be refused by 400 or 415,
and the memory of the server's processes is watched. Run `vision champion` first.
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

from benchmarks.serving import JSON, PARQUET, as_json, as_parquet, directly, post, server
from stages.datasets.format import open_set
from stages.project.paths import PREPARED
from stages.tracking.store import tracking_uri

CLIENTS, BAD, CLOSE = (4, 16, 64), 0.05, 1e-3
BAD_BODIES = (
    b"",
    b"nonsense",
    b"{}",
    b'{"inputs": [[1]]}',
    b'{"inputs": "text"}',
    b'{"inputs": [[[[300]]]]}',
    b"[" * 500,
)
REFUSED = (400, 415)


@dataclass
class Seen:
    """What clients saw.

    Attributes:
        seconds: of each good request.
        wrong: good requests whose answer was none, or not that of onnxruntime.
        refused: bad requests that were refused.
        accepted: bad requests that were not.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    refused: int = 0
    accepted: int = 0


@dataclass(frozen=True)
class Questions:
    """What is asked: each image's body, the logits it must get, float (N, classes), and the bodies' content type."""

    bodies: Sequence[bytes]
    logits: np.ndarray
    kind: str


def client(port: int, asked: Questions, seed: int, end: float) -> Seen:
    """Ask until `end`, of `time.monotonic()`; a share of `BAD` is bad."""
    seen, random = Seen(), np.random.default_rng(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while time.monotonic() < end:
        if random.random() < BAD:
            status, _ = post(connection, BAD_BODIES[random.integers(len(BAD_BODIES))], JSON)
            seen.refused += status in REFUSED
            seen.accepted += status not in REFUSED
            continue
        row = int(random.integers(len(asked.bodies)))
        started = time.perf_counter()
        status, answer = post(connection, asked.bodies[row], asked.kind)
        seen.seconds.append(time.perf_counter() - started)
        seen.wrong += not (status == 200 and _right(answer, asked.logits[row]))
    return seen


def _right(answer: object, wanted: np.ndarray) -> bool:
    logits = answer["predictions"]["logits"] if isinstance(answer, dict) else []
    return np.shape(logits) == (1, len(wanted)) and bool(np.allclose(logits[0], wanted, atol=CLOSE))


def load(port: int, asked: Questions, clients: int, seconds: float) -> list[Seen]:
    """What each of `clients` saw, that asked at once for so many seconds."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda seed: client(port, asked, seed, end), range(clients)))


def told(found: Sequence[Seen], seconds: float) -> str:
    """The figures in a line."""
    times = 1000 * np.array([one for seen in found for one in seen.seconds])
    middle, most = np.percentile(times, [50, 99])
    wrong, refused, accepted = (sum(getattr(one, key) for one in found) for key in ("wrong", "refused", "accepted"))
    return (
        f"{len(times) / seconds:,.0f} images/s, p50 {middle:.1f} ms, p99 {most:.1f} ms; "
        f"{len(times):,} answers, {wrong} wrong; {refused:,} bad requests refused, {accepted} not"
    )


class Memory(threading.Thread):
    """Watches the memory of this process's children, MiB, once in a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.values: list[float] = []

    def run(self) -> None:
        """Watch."""
        while True:
            children = psutil.Process().children(recursive=True)
            self.values.append(sum(one.memory_info().rss for one in children if one.is_running()) / 2**20)
            time.sleep(1)


def measure(dataset: str, images: np.ndarray, kind: str, seconds: float) -> None:
    """Print the figures for each number of clients."""
    model, store = f"models:/{dataset}@champion", tracking_uri()
    session = directly(model, store)
    logits = np.concatenate([session.run(None, {"pixels": image[np.newaxis]})[0] for image in images])
    encode = as_parquet if kind == PARQUET else as_json
    asked = Questions([encode(image[np.newaxis]) for image in images], logits, kind)
    with server(model, store) as port:
        load(port, asked, 4, min(5.0, seconds))  # to begin with, every worker has answered
        memory = Memory()
        memory.start()
        for clients in CLIENTS:
            before = len(memory.values)
            found = load(port, asked, clients, seconds)
            used = memory.values[before:]
            print(f"{clients} clients, {told(found, seconds)}; {used[0]:,.0f} MiB, then {used[-1]:,.0f}", flush=True)


def main() -> None:
    """Put the champion of a data set under load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="mnist", help="a data set of images that has a champion")
    parser.add_argument("--seconds", type=float, default=120, help="for each number of clients")
    parser.add_argument("--images", type=int, default=500, help="test images that are asked about")
    parser.add_argument("--json", action="store_true", help="as JSON; else as Parquet")
    given = parser.parse_args()
    images = open_set(PREPARED / given.dataset).inputs("test")[: given.images]
    measure(given.dataset, images, JSON if given.json else PARQUET, given.seconds)


if __name__ == "__main__":
    main()
