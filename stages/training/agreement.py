"""What all ranks of a training do at the same step, though each knows only of its own clock and signals."""

import time

from stages.training.world import World

_SECONDS = 1.0  # between questions


class Agreement:
    """Asks all ranks for a number, but only every so many steps, about once a second.

    Asked at each step, every rank would wait for the slowest each time. After how many steps the next question
    comes is agreed on too, since no two clocks are the same.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._steps, self._next, self._asked_at = 0, 1, time.monotonic()

    def highest(self, number: int) -> int:
        """The highest of the ranks' numbers; 0 at the steps between questions. Call it once a step."""
        if self._world.size == 1:
            return number
        self._steps += 1
        if self._steps < self._next:
            return 0
        elapsed = max(time.monotonic() - self._asked_at, 1e-6)
        self._next = self._world.highest(max(1, int(self._steps / elapsed * _SECONDS)))
        self._steps, self._asked_at = 0, time.monotonic()
        return self._world.highest(number)
