"""What is ended on purpose at a set time of the window, to see what becomes of what it had begun."""

import math
import time
from collections.abc import Callable
from typing import Protocol


class Watcher(Protocol):
    """What acts while the load is on."""

    def look(self) -> float:
        """Does what is due; in how many seconds it wants to look again."""


class Kill:
    """Calls `end` once at this moment of time.monotonic(), beside whatever else acts."""

    def __init__(self, at: float, end: Callable[[], None], beside: Watcher | None = None) -> None:
        self._at = at
        self._end = end
        self._beside = beside

    def look(self) -> float:
        """As of Watcher."""
        if time.monotonic() >= self._at:
            self._at = math.inf
            self._end()
        wanted_s = math.inf if self._beside is None else self._beside.look()
        return min(wanted_s, self._at - time.monotonic())
