"""What a consumer has done: a line in its file for each task, and what it says of all of them when it ends."""

import json
import os
import time
from typing import Any

_MOST_BYTES = 200


class Record:
    """A task is noted when it is done and before that is acknowledged: one that was acknowledged is never missing.

    The line is in the file when `done` returns, so a kill at any moment takes no line away. OSError where the file
    cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._done = 0
        self._redelivered = 0
        self._reconnects = 0
        # Why there is no connection; empty: there is one.
        self._without = "not tried"
        self._dropped = 0
        self._first: float | None = None
        self._last: float | None = None

    def done(self, body: bytes, redelivered: bool) -> None:
        """One task is done; `redelivered`: the broker says that it was handed out before."""
        # What came from elsewhere stays one line, and a short one.
        os.write(self._file, body[:_MOST_BYTES].replace(b"\n", b" ") + b"\n")
        self._done += 1
        self._redelivered += redelivered
        self._last = time.time()
        self._first = self._first or self._last

    def has_the_broker(self) -> None:
        """A connection is made."""
        self._reconnects += self._without == "gone"
        self._without = ""

    def lost_the_broker(self, why: str) -> None:
        """Say once that there is no connection, however often one is tried until there is."""
        if self._without in ("", "not tried"):
            self._without = "not there yet" if self._without else "gone"
            print(f"consumer: the broker is {self._without}: {why}", flush=True)

    def too_slow(self, why: str) -> None:
        """Say that the broker has dropped this one, or a message for it, because it did not keep up."""
        self._dropped += 1
        print(f"consumer: too slow: {why}", flush=True)

    def report(self) -> str:
        """One line of JSON. Times are seconds of the wall clock, null where nothing was done."""
        found: dict[str, Any] = {
            "done": self._done,
            "redelivered": self._redelivered,
            "reconnects": self._reconnects,
            "dropped": self._dropped,
            "first": self._first,
            "last": self._last,
        }
        return json.dumps(found)
