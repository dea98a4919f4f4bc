"""Hands the slots of an open loop to users, in order, each when it is due and a user is idle.

A user that becomes free while a slot is due takes it at once. With nothing due it parks, and the dispatcher wakes the
one that has been idle longest when the next slot is due: one timer for all users, however many wait.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from gevent import get_hub, getcurrent

from loadtests.worker.timer import Timer

_READ = 1
"""Event mask of libev: readable."""


class Alarm:
    """Calls back in the hub at a moment of perf_counter, to some tens of microseconds."""

    def __init__(self, callback: Callable[[], None]) -> None:
        """Raises OSError."""
        self._timer = Timer()
        self.set, self.off = self._timer.set, self._timer.off
        self._watcher = get_hub().loop.io(self._timer.descriptor, _READ)
        self._watcher.start(callback)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        self._timer.close()


class Dispatcher:
    """The slots of one worker for one run."""

    def __init__(self, arrivals: Iterator[float]) -> None:
        """`arrivals`: rising moments of perf_counter, without end. Raises OSError when there is no timer."""
        self._arrivals = arrivals
        self._next_due = next(arrivals)
        self._idle: deque[Any] = deque()
        self._active = True
        self._alarm = Alarm(self._ring)

    def claim(self) -> float | None:
        """The intended start of the next slot if it is due; None otherwise."""
        due = self._next_due
        if due > perf_counter() or not self._active:
            return None
        self._next_due = next(self._arrivals)
        return due

    def wait(self) -> float | None:
        """Wait for the next slot nobody else takes; its intended start, or None when the run is over."""
        if not self._active:
            return None
        me = getcurrent()
        self._idle.append(me)
        if len(self._idle) == 1:
            self._alarm.set(self._next_due)
        try:
            due: float | None = get_hub().switch()
        except BaseException:
            # Stopped and ended at the same moment, it is no longer among the idle.
            with contextlib.suppress(ValueError):
                self._idle.remove(me)
            raise
        return due

    def behind_s(self, now: float) -> float:
        """How long the oldest slot that nobody has taken is overdue."""
        return max(0.0, now - self._next_due)

    def _ring(self) -> None:
        """In the hub: switching to a user returns here when the user next waits for something."""
        idle = self._idle
        while idle and self._next_due <= perf_counter():
            due, self._next_due = self._next_due, next(self._arrivals)
            idle.popleft().switch(due)
        if idle:
            self._alarm.set(self._next_due)
        else:
            self._alarm.off()

    def stop(self, now: float) -> Iterator[float]:
        """No more slots: idle users are told so. Returns the slots that were due before `now` and nobody took."""
        if self._active:
            self._active = False
            self._alarm.close()
            loop = get_hub().loop
            while self._idle:
                loop.run_callback(self._idle.popleft().switch, None)
        return self._untaken(now)

    def _untaken(self, now: float) -> Iterator[float]:
        while self._next_due < now:
            yield self._next_due
            self._next_due = next(self._arrivals)
