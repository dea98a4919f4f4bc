"""What probes tell of containers: the latest lines of each, and those of the run under way.

A probe beside a server or a front started by hand POSTs a line of JSON a second to /threadmill/samples: the levels as
they are, the counters as their growth since the line before (`cpu_used_us_since_last`). `host` is what the container
calls itself. Lines of different containers, or of two probes beside one, are never put into one series.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA_VERSION = 2
MOST_LINES = 7_200
"""Kept of each probe: two hours at one line a second. The oldest go first."""
MOST_PROBES = 64
"""Whose lines are kept. The one that has been silent longest goes first."""
MOST_BYTES = 65_536
FRESH_S = 5.0
"""A figure older than this is no live figure any more."""
SHOWN_LINES = 10
"""What is not in the newest line is looked for in so many."""

Line = Mapping[str, Any]
_Series = deque[tuple[float, Line]]


class BadSampleError(ValueError):
    """One line that says what is wrong with a posted sample."""


@dataclass(frozen=True)
class Told:
    """What one probe tells of one container now."""

    host: str
    age_s: float
    """Of the newest line."""
    lines: list[Line]
    """The last SHOWN_LINES, oldest first."""


class Samples:
    """By container; `clock` gives Unix time in seconds."""

    def __init__(self, models: Collection[str], clock: Callable[[], float] = time.time) -> None:
        self._models = tuple(models)
        self._clock = clock
        # By model, container and probe.
        self._series: dict[tuple[str, str, str], _Series] = {}

    def add(self, line: Any, sender: str) -> None:
        """`sender`: where the line comes from, an address; also the container's name where the line has none.

        Raises BadSampleError.
        """
        if not isinstance(line, dict) or line.get("schema_version") != SCHEMA_VERSION:
            raise BadSampleError(f"a sample is a JSON object with schema_version {SCHEMA_VERSION}")
        model, host = line.get("model"), line.get("host") or sender
        if model not in self._models:
            raise BadSampleError(f"model: one of {', '.join(self._models)}, not {str(model)[:40]!r}")
        if not isinstance(host, str) or len(host) > 64:
            raise BadSampleError(f"host: a name of at most 64 characters, not {str(host)[:40]!r}")
        # The one that spoke last stands last.
        series = self._series.pop((model, host, sender), None) or deque(maxlen=MOST_LINES)
        series.append((self._clock(), {**line, "host": host}))
        self._series[model, host, sender] = series
        if len(self._series) > MOST_PROBES:
            del self._series[next(iter(self._series))]

    def fresh(self, model: str) -> list[Told]:
        """Of each container of this model whose probe has just told of it, by its name."""
        now = self._clock()
        found: dict[str, _Series] = {}
        for host, series in self._of(model):
            # Of two probes beside one container the one that has told for longer, which changes with no line.
            if now - series[-1][0] <= FRESH_S and (host not in found or series[0][0] < found[host][0][0]):
                found[host] = series
        return [
            Told(host, now - series[-1][0], [line for _, line in list(series)[-SHOWN_LINES:]])
            for host, series in sorted(found.items())
        ]

    def between(self, model: str, from_unix: float, to_unix: float) -> list[Line]:
        """The lines that arrived in between, in that order; of each container those of one probe."""
        found: dict[str, list[tuple[float, Line]]] = {}
        for host, series in self._of(model):
            inside = [(arrived, line) for arrived, line in series if from_unix <= arrived <= to_unix]
            if len(inside) > len(found.get(host, ())):
                found[host] = inside
        every = [one for lines in found.values() for one in lines]
        return [line for _, line in sorted(every, key=lambda one: one[0])]

    def sender_of(self, model: str, host: str) -> str | None:
        """Where the lines of this container came from last; None without any."""
        return next((sender for named, one, sender in reversed(self._series) if (named, one) == (model, host)), None)

    def _of(self, model: str) -> Iterator[tuple[str, _Series]]:
        return ((host, series) for (named, host, _), series in self._series.items() if named == model)
