"""Chunks of images go through threads in order, and few are read ahead."""

from collections.abc import Iterator

import pytest

from vision_pipeline.data import parallel
from vision_pipeline.data.parallel import map_chunks


def test_results_keep_their_order() -> None:
    images = ((index, bytes([index % 256])) for index in range(1000))
    keys = [key for chunk in map_chunks(lambda chunk: [key for key, _ in chunk], images) for key in chunk]
    assert keys == list(range(1000))


def test_reading_stays_few_chunks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "count_available_cpus", lambda: 2)
    read = 0

    def images() -> Iterator[tuple[int, bytes]]:
        nonlocal read
        for index in range(100):
            read += 1
            yield index, b"x" * (5 << 20)  # above a chunk's bytes: chunks of one

    done = 0
    for chunk in map_chunks(len, images()):
        done += chunk
        assert read - done <= 5
    assert done == 100


def test_an_error_in_a_worker_reaches_the_caller() -> None:
    def fail(chunk: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        list(map_chunks(fail, [(0, b"")]))
