"""The state of a training on disk, from which it goes on after any kind of end."""

import hashlib
import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from stages.project.console import warn
from stages.project.files import replacing
from stages.project.stopping import StopFlag
from stages.project.versions import versions
from stages.training.agreement import Agreement
from stages.training.world import ALONE, World

State = dict[str, Any]

_SECONDS = 30.0  # between states within an epoch
_LARGEST_SHARE = 0.02  # of the training's time that saving may take
_DIGEST_BYTES = 32
_NOTHING, _SAVE = 0, 1  # and the number of a signal, which is higher: save and stop


class Keeper:
    """Saves a training's state after each epoch, every half minute within one, and before it is stopped.

    Two files take turns, each with the SHA-256 of its content in front: when the newest is not whole, because the
    power failed while it was written, the one before it is. Saving takes at most 2 % of the training's time:
    where epochs are shorter than that allows, some go unsaved. A state of other versions of the libraries is left.
    Of several ranks, rank 0 reads and writes; all save and stop at the same step.
    """

    def __init__(self, folder: Path, stop: StopFlag, world: World = ALONE) -> None:
        """`folder` is of this training alone; `stop` tells when the training must end."""
        self._files, self._stop = [folder / "a.state", folder / "b.state"], stop
        self._world, self._agreement = world, Agreement(world)
        self._number, self._cost, self._saved_at = 0, 0.0, time.monotonic()

    def load(self) -> State | None:
        """The newest whole state, its tensors on the CPU; None where there is none."""
        newest: State | None = self._world.broadcast(self._newest() if self._world.rank == 0 else None)
        return newest

    def _newest(self) -> State | None:
        states = [state for file in self._files if (state := _read(file)) is not None and _of_today(file, state)]
        if not states:
            return None
        newest = max(states, key=lambda state: state["number"])
        self._number = newest["number"]
        return newest

    def after_step(self, state: Callable[[], State]) -> None:
        """Save the state when it is time to; when the training must end, save it and raise `Stopped`."""
        due = self._since() >= max(_SECONDS, self._cost / _LARGEST_SHARE)
        self._do(self._agreement.highest(self._wish(due)), state)

    def after_epoch(self, state: Callable[[], State], last: bool) -> None:
        """Save the state, unless that were too often; the last epoch's always."""
        due = last or self._since() >= self._cost / _LARGEST_SHARE
        self._do(self._world.highest(self._wish(due)), state)

    def _wish(self, due: bool) -> int:
        if self._stop.signal is not None:
            return int(self._stop.signal)
        return _SAVE if due and self._world.rank == 0 else _NOTHING

    def _do(self, agreed: int, state: Callable[[], State]) -> None:
        if agreed == _NOTHING:
            return
        content = state()  # of all ranks
        if self._world.rank == 0:
            self.save(content)
        if agreed > _SAVE:
            self._stop.signal = signal.Signals(agreed)
            self._stop.check()

    def save(self, state: State) -> None:
        """Write `state` (tensors and plain values) beside the last one, durably."""
        started = time.monotonic()
        self._number += 1
        buffer = io.BytesIO(b"\0" * _DIGEST_BYTES)
        buffer.seek(_DIGEST_BYTES)
        torch.save({**state, "number": self._number, "versions": versions()}, buffer)
        content = buffer.getbuffer()
        content[:_DIGEST_BYTES] = hashlib.sha256(content[_DIGEST_BYTES:]).digest()
        with replacing(self._files[self._number % 2]) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - started

    def _since(self) -> float:
        return time.monotonic() - self._saved_at


def _read(file: Path) -> State | None:
    """A state, None where the file is missing or is not whole."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    payload = content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != content[:_DIGEST_BYTES]:
        warn(f"{file} is not whole, as after a power cut; an older state is used where there is one")
        return None
    state: State = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state


def _of_today(file: Path, state: State) -> bool:
    """Whether the same libraries computed it: with others its training would be of neither."""
    before, now = state.get("versions", {}), versions()
    changed = [
        f"{name} {before.get(name, 'unknown')}, now {now[name]}" for name in now if before.get(name) != now[name]
    ]
    if changed:
        warn(f"{file} was saved with other versions ({', '.join(changed)}); its training begins anew")
    return not changed
