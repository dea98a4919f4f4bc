"""What one worker knows of the values in a store, so that it can tell an old one from a new one.

Each key has one writer: worker number i of n writes the keys that leave i when divided by n, never two writes of a key
at a time, and each with a greater version than the last. So whoever has seen a write confirmed knows the least version
that a later read may find. Of a write whose outcome nobody knows, it may still be under way: from then on no more is
asked of that key than was known before.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_TRIES = 8


def _clock_us() -> int:
    return time.time_ns() // 1000


class Versions:
    """Of the keys 0 to `keys` - 1. `workers` is at most `keys`."""

    def __init__(self, keys: int, worker: int = 0, workers: int = 1, clock_us: Callable[[], int] = _clock_us) -> None:
        self._keys = keys
        self._worker = worker
        self._workers = workers
        self._clock_us = clock_us
        self._last = 0
        self._last_message = 0
        self._writing: set[int] = set()
        self.confirmed: dict[int, int] = {}
        """By key, the version of the last write that was confirmed to this worker."""
        self.unsure: set[int] = set()
        """Keys with a write whose outcome is not known."""

    def next(self) -> int:
        """A version for a write: the clock's microseconds, and always more than the last."""
        self._last = max(self._last + 1, self._clock_us())
        return self._last

    def of_message(self) -> int:
        """A version that no message of any worker has had."""
        worker, workers = self._worker, self._workers
        self._last_message = max(self._last_message + workers, self._clock_us() * workers + worker)
        return self._last_message

    def to_write(self, drawn: int, draw: Callable[[], int]) -> int | None:
        """Begin to write: the worker's own key among the `workers` neighbours of the one drawn. While that is being
        written, of another draw, and at last any. None: all of its keys are being written."""
        writing = self._writing
        key = self._own(drawn)
        for _ in range(_TRIES):
            if key not in writing:
                break
            key = self._own(draw())
        else:
            free = (own for own in range(self._worker, self._keys, self._workers) if own not in writing)
            if (found := next(free, None)) is None:
                return None
            key = found
        writing.add(key)
        return key

    def _own(self, key: int) -> int:
        own = key - key % self._workers + self._worker
        return own if own < self._keys else own - self._workers

    def written(self, key: int, version: int) -> None:
        """The write was confirmed."""
        self._writing.discard(key)
        if key not in self.unsure:
            self.confirmed[key] = version

    def not_written(self, key: int) -> None:
        """It failed, and will never be done."""
        self._writing.discard(key)

    def maybe_written(self, key: int) -> None:
        """It failed, and may be done yet."""
        self._writing.discard(key)
        self.unsure.add(key)
