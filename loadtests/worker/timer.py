"""A timer that is a file descriptor (timerfd_create(2)), so that whoever waits for descriptors can wait for it too.

Those of gevent's loop tick once a millisecond, and so does the timeout of epoll: several times what an echo takes.
"""

from __future__ import annotations

import ctypes
import math
import os

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


class Timer:
    """Its `descriptor` becomes readable at a moment of perf_counter, and stays so until the timer is set again."""

    def __init__(self) -> None:
        """Raises OSError."""
        # The flags of timerfd_create are those of open.
        self.descriptor: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = _TimerSetting()
        self._pointer = ctypes.byref(self._setting)

    def set(self, at: float) -> None:
        """Expire at `at`, at once if that is past, never if that is infinite. Forgets an earlier setting, and that it
        has expired."""
        if at == math.inf:
            self.off()
            return
        value = self._setting.value
        # All zeros would switch it off.
        value.seconds, value.nanoseconds = divmod(max(1, int(at * _NS)), _NS)
        _libc.timerfd_settime(self.descriptor, _TFD_TIMER_ABSTIME, self._pointer, None)

    def off(self) -> None:
        value = self._setting.value
        value.seconds = value.nanoseconds = 0
        _libc.timerfd_settime(self.descriptor, _TFD_TIMER_ABSTIME, self._pointer, None)

    def close(self) -> None:
        os.close(self.descriptor)
