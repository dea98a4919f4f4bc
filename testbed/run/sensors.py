"""What is read of a trial while its load is on: each probe's latest lines, as they are written."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.stack.services import Limits

# So many seconds of lines are kept of each box.
KEPT_S = 30.0

_COUNTERS = ("cpu_used_us", "periods", "throttled_periods", "throttled_us", "listen_overflows")


@dataclass(frozen=True)
class Use:
    """One box over the last seconds. None: not known."""

    seconds: float
    """What it spans."""
    cpu_s: float | None = None
    cpu_share: float | None = None
    """Of its limit, 1 for all of it."""
    memory_share: float | None = None
    """Of its limit, now."""
    throttled_share: float | None = None
    """Of its quota periods."""
    accept_queue: int | None = None
    """Connections that wait to be accepted, as last seen."""


class Series:
    """The lines of one probe that writes them as it takes them."""

    def __init__(self, path: Path, refresh: Callable[[], None] = lambda: None) -> None:
        """`refresh`: has the file be of now, where it is written elsewhere."""
        self._path, self._refresh = path, refresh
        self._read = 0
        self._lines: deque[Mapping[str, Any]] = deque()

    def look(self) -> None:
        """Take what is new. A line that is not whole yet is taken the next time."""
        self._refresh()
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return
        whole, _, _ = new.rpartition(b"\n")
        if not whole:
            return
        self._read += len(whole) + 1
        for line in whole.splitlines():
            self._lines.append(json.loads(line))
        while self._lines[-1]["unix"] - self._lines[0]["unix"] > KEPT_S:
            self._lines.popleft()

    def use(self, seconds: float, limits: Limits) -> Use | None:
        """Over the last seconds, as near to so many as there are lines; None without two of them."""
        if len(self._lines) < 2:
            return None
        last = self._lines[-1]
        first = min(list(self._lines)[:-1], key=lambda line: abs(last["unix"] - line["unix"] - seconds))
        spans = last["unix"] - first["unix"]
        grown = {name: _grown(first.get(name), last.get(name)) for name in _COUNTERS}
        cpu_s = None if grown["cpu_used_us"] is None else grown["cpu_used_us"] / 1e6
        memory, periods, throttled = last.get("memory_now_bytes"), grown["periods"], grown["throttled_periods"]
        queue = next((line["accept_queue"] for line in reversed(self._lines) if "accept_queue" in line), None)
        return Use(
            seconds=spans,
            cpu_s=cpu_s,
            cpu_share=None if cpu_s is None or not limits.usable_cpus else cpu_s / spans / limits.usable_cpus,
            memory_share=None if memory is None or not limits.memory_bytes else memory / limits.memory_bytes,
            throttled_share=throttled / periods if throttled is not None and periods else None,
            accept_queue=queue,
        )


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
