"""Work on many images with all cores: threads, since Pillow, hashing and numpy release Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from vision_pipeline.core.system import count_available_cpus

T = TypeVar("T")
R = TypeVar("R")

_CHUNK_IMAGES = 64
_CHUNK_BYTES = 4 << 20


def map_chunks(
    work: Callable[[Sequence[tuple[T, bytes | np.ndarray]]], R], images: Iterable[tuple[T, bytes | np.ndarray]]
) -> Iterator[R]:
    """Yield the results of `work` on chunks of `images`, computed in parallel, in order.

    Only a few chunks are read ahead, so memory does not grow with the number of images.

    Args:
        work: called in a thread with a chunk of (key, content).
        images: (key, content: encoded image or pixels); iterated by the calling thread.
    """
    threads = count_available_cpus()
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for chunk in _iter_chunks(images):
            pending.append(pool.submit(work, chunk))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _iter_chunks(
    images: Iterable[tuple[T, bytes | np.ndarray]],
) -> Iterator[list[tuple[T, bytes | np.ndarray]]]:
    chunk: list[tuple[T, bytes | np.ndarray]] = []
    size = 0
    for key, content in images:
        chunk.append((key, content))
        size += len(content) if isinstance(content, bytes) else content.nbytes
        if len(chunk) == _CHUNK_IMAGES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
