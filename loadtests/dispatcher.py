"""Hands the slots of an open loop to users, in order, each when it is due and a user is idle.

A user that becomes free while a slot is due takes it at once. With nothing due it parks, and the dispatcher wakes the
one that has been idle longest when the next slot is due: one timer for all users, however many wait. The timer is the
kernel's (timerfd_create(2)), set for the very moment, because those of gevent's loop tick once a millisecond, which is
several times what an echo takes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from gevent import get_hub, getcurrent

_READ = 1
"""Event mask of libev: readable."""

_CLOCK_MONOTONIC = 1
"""The clock behind perf_counter on Linux."""

_TFD_TIMER_ABSTIME = 1
_NS = 1_000_000_000


class _Time(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _TimerSetting(ctypes.Structure):
    _fields_ = [("interval", _Time), ("value", _Time)]


# Python has these functions itself from 3.13 on.
_libc = ctypes.CDLL(None, use_errno=True)


class Alarm:
    """Calls back in the hub at a moment of perf_counter, to some tens of microseconds."""

    def __init__(self, callback: Callable[[], None]) -> None:
        """Raises OSError."""
        # The flags of timerfd_create are those of open.
        self._descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _TimerSetting()
        self._pointer = ctypes.byref(self._setting)
        self._watcher = get_hub().loop.io(self._descriptor, _READ)
        self._watcher.start(callback)

    def set(self, at: float) -> None:
        """Ring at `at`, at once if that is past. Forgets an earlier setting, and that it has rung."""
        value = self._setting.value
        # All zeros would switch it off.
        value.seconds, value.nanoseconds = divmod(max(1, int(at * _NS)), _NS)
        _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, self._pointer, None)

    def off(self) -> None:
        value = self._setting.value
        value.seconds = value.nanoseconds = 0
        _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, self._pointer, None)

    def close(self) -> None:
        self._watcher.stop()
        self._watcher.close()
        os.close(self._descriptor)


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
