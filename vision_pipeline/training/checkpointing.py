"""The state of a training on disk, from which it resumes after any kind of end."""

import hashlib
import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vision_pipeline.core.files import atomic_path
from vision_pipeline.core.logging import logger
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext, RankConsensus

StateDict = dict[str, Any]

_SECONDS_BETWEEN_SAVES = 30.0  # within an epoch
_MAX_SAVE_SHARE = 0.02  # share of the training's time that saving may take
_DIGEST_BYTES = 32
_CONTINUE, _SAVE = 0, 1  # a vote above these is the number of a signal: save and stop


class CheckpointManager:
    """Saves a training's state after each epoch, every half minute within one, and before it is stopped.

    Two files are written in turn, each with the SHA-256 of its content in front: when the newest is not whole, because
    the power failed while it was written, the one before it is. Saving takes at most 2 % of the training's time:
    where epochs are shorter than that allows, some go unsaved. A state of other library versions is not used.
    In a training of several ranks, rank 0 reads and writes; all ranks save and stop at the same step.

    Args:
        folder: folder of this training alone.
        shutdown: flag that is set when the training must end.
        world: the ranks that train together.
    """

    def __init__(self, folder: Path, shutdown: ShutdownFlag, world: DistributedContext = SINGLE_PROCESS) -> None:
        self._files, self._shutdown = [folder / "a.state", folder / "b.state"], shutdown
        self._world, self._consensus = world, RankConsensus(world)
        self._save_count, self._save_seconds, self._saved_at = 0, 0.0, time.monotonic()

    def load(self) -> StateDict | None:
        """Return the newest whole state, its tensors on the CPU; None where there is none."""
        newest: StateDict | None = self._world.broadcast(self._load_newest() if self._world.rank == 0 else None)
        return newest

    def _load_newest(self) -> StateDict | None:
        states = [
            state for file in self._files if (state := _read_state(file)) is not None and _same_versions(file, state)
        ]
        if not states:
            logger.debug(f"{self._files[0].parent} holds no state; the training begins at its first step")
            return None
        newest = max(states, key=lambda state: state["number"])
        self._save_count = newest["number"]
        logger.debug(f"the training resumes from state {self._save_count} in {self._files[0].parent}")
        return newest

    def after_step(self, get_state: Callable[[], StateDict]) -> None:
        """Save the state when it is time to; when the training must end, save it and raise `Interrupted`."""
        due = self._seconds_since_save() >= max(_SECONDS_BETWEEN_SAVES, self._save_seconds / _MAX_SAVE_SHARE)
        self._act(self._consensus.all_reduce_max(self._vote(due)), get_state)

    def after_epoch(self, get_state: Callable[[], StateDict], is_last: bool) -> None:
        """Save the state unless the last one was saved too recently; always save the last epoch's."""
        due = is_last or self._seconds_since_save() >= self._save_seconds / _MAX_SAVE_SHARE
        self._act(self._world.all_reduce_max(self._vote(due)), get_state)

    def _vote(self, due: bool) -> int:
        if self._shutdown.signal is not None:
            return int(self._shutdown.signal)
        return _SAVE if due and self._world.rank == 0 else _CONTINUE

    def _act(self, decision: int, get_state: Callable[[], StateDict]) -> None:
        if decision == _CONTINUE:
            return
        snapshot = get_state()  # every rank calls it, because it gathers a part from each
        if self._world.rank == 0:
            self.save(snapshot)
        if decision > _SAVE:
            self._shutdown.signal = signal.Signals(decision)
            self._shutdown.check()

    def save(self, state: StateDict) -> None:
        """Write `state` (tensors and plain values) durably, in place of the state before the last."""
        started = time.monotonic()
        self._save_count += 1
        buffer = io.BytesIO(b"\0" * _DIGEST_BYTES)
        buffer.seek(_DIGEST_BYTES)
        torch.save({**state, "number": self._save_count, "versions": get_library_versions()}, buffer)
        content = buffer.getbuffer()
        content[:_DIGEST_BYTES] = hashlib.sha256(content[_DIGEST_BYTES:]).digest()
        with atomic_path(self._files[self._save_count % 2]) as partial, partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - started
        logger.debug(f"state {self._save_count}: {len(content):,} bytes saved in {self._save_seconds:.2f} s")

    def _seconds_since_save(self) -> float:
        return time.monotonic() - self._saved_at


def _read_state(file: Path) -> StateDict | None:
    """Return a state; None where the file is missing or is not whole."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    payload = content[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != content[:_DIGEST_BYTES]:
        logger.warning(f"{file} is not whole, as after a power cut; an older state is used where there is one")
        return None
    state: StateDict = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state


def _same_versions(file: Path, state: StateDict) -> bool:
    """Return whether the installed libraries computed the state: a training must not mix two versions."""
    saved_versions, current_versions = state.get("versions", {}), get_library_versions()
    differences = [
        f"{name} {saved_versions.get(name, 'unknown')}, now {current_versions[name]}"
        for name in current_versions
        if saved_versions.get(name) != current_versions[name]
    ]
    if differences:
        logger.warning(f"{file} was saved with other versions ({', '.join(differences)}); its training begins anew")
    return not differences
