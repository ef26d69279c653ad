"""Two trainings of one key never run at once, also where several ranks train together."""

import threading
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from vision_pipeline.core.locks import file_lock
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext
from vision_pipeline.training.run_spec import RunIdentity

KNOWN = RunIdentity("0123456789abcdef", {}, {})


class Linked(DistributedContext):
    """One of two ranks, threads here; the other one hears what rank 0 says within five seconds, or fails."""

    size = 2

    def __init__(self, rank: int, line: "Queue[Any]", said: list[Any]) -> None:
        self.rank, self._line, self._said = rank, line, said

    def broadcast(self, value: Any) -> Any:
        if self.rank == 0:
            self._said.append(value)
            self._line.put(value)
            return value
        return self._line.get(timeout=5)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_a_second_training_waits_for_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with KNOWN.lock("m", SINGLE_PROCESS):
            order.append("second")

    with KNOWN.lock("m", SINGLE_PROCESS):
        waits = threading.Thread(target=second)
        waits.start()
        waits.join(0.3)
        order.append("first")
    waits.join()
    assert order == ["first", "second"]
    assert "which trains m" in capsys.readouterr().out


def test_while_rank_0_waits_the_others_hear_of_it_and_do_not_train() -> None:
    line: Queue[Any] = Queue()
    said: list[Any] = []
    begun = []

    def train(rank: int) -> None:
        with KNOWN.lock("m", Linked(rank, line, said)):
            begun.append(rank)

    with ExitStack() as other:
        other.enter_context(file_lock(f"train-{KNOWN.key}"))
        ranks = [threading.Thread(target=train, args=(rank,)) for rank in (0, 1)]
        for thread in ranks:
            thread.start()
        ranks[1].join(0.5)
        assert begun == []
    for thread in ranks:
        thread.join()
    assert sorted(begun) == [0, 1]
    assert len(said) > 2
    assert said == [False] * (len(said) - 1) + [True]
