"""One key is trained by one process, or by several ranks together; a text is trained by one process alone."""

import threading
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext
from vision_pipeline.training.run_spec import RunIdentity, check_world_size, effective_settings

IDENTITY = RunIdentity("0123456789abcdef", {}, {})


class ThreadRank(DistributedContext):
    """One of two ranks, which are threads here; rank 1 receives a broadcast within five seconds, or fails."""

    size = 2

    def __init__(self, rank: int, queue: "Queue[Any]", broadcasts: list[Any]) -> None:
        self.rank, self._queue, self._broadcasts = rank, queue, broadcasts

    def broadcast(self, value: Any) -> Any:
        if self.rank == 0:
            self._broadcasts.append(value)
            self._queue.put(value)
            return value
        return self._queue.get(timeout=5)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_a_second_training_waits_for_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    order = []

    def second() -> None:
        with IDENTITY.lock("m", SINGLE_PROCESS):
            order.append("second")

    with IDENTITY.lock("m", SINGLE_PROCESS):
        waits = threading.Thread(target=second)
        waits.start()
        waits.join(0.3)
        order.append("first")
    waits.join()
    assert order == ["first", "second"]
    assert "which trains m" in capsys.readouterr().out


def test_while_rank_0_waits_the_others_hear_of_it_and_do_not_train() -> None:
    queue: Queue[Any] = Queue()
    broadcasts: list[Any] = []
    begun = []

    def train(rank: int) -> None:
        with IDENTITY.lock("m", ThreadRank(rank, queue, broadcasts)):
            begun.append(rank)

    with ExitStack() as other:
        other.enter_context(file_lock(f"train-{IDENTITY.key}"))
        ranks = [threading.Thread(target=train, args=(rank,)) for rank in (0, 1)]
        for thread in ranks:
            thread.start()
        ranks[1].join(0.5)
        assert begun == []
    for thread in ranks:
        thread.join()
    assert sorted(begun) == [0, 1]
    assert len(broadcasts) > 2
    assert broadcasts == [False] * (len(broadcasts) - 1) + [True]


@pytest.mark.parametrize(("name", "text"), [("shakespeare-lstm", True), ("hello-elman", True), ("mnist-cnn", False)])
def test_several_ranks_do_not_read_one_text(name: str, text: bool, repository: Path) -> None:
    (model,) = load_params(f"models.{name}", path=repository / "params.yaml")
    check_world_size(name, model, SINGLE_PROCESS)
    two = DistributedContext()
    two.size = 2
    if not text:
        check_world_size(name, model, two)
        return
    assert effective_settings(model, "bf16", 4) == ("bf16", 1)
    with pytest.raises(UserError, match=f"{name} is trained on a text, which one process reads"):
        check_world_size(name, model, two)
