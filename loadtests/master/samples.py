"""What probes tell of the servers: the latest line of each, and those of the run under way.

A probe beside a server started by hand POSTs a line of JSON a second to /threadmill/samples: the levels as they are,
the counters as their growth since the line before (`cpu_used_us_since_last`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

SCHEMA_VERSION = 2
MOST_LINES = 7_200
"""Kept of each model: two hours at one line a second. The oldest go first."""
MOST_BYTES = 65_536
FRESH_S = 5.0
"""A figure older than this is no live figure any more."""
SHOWN_LINES = 10
"""What is not in the newest line is looked for in so many."""

Line = Mapping[str, Any]


class BadSampleError(ValueError):
    """One line that says what is wrong with a posted sample."""


class Samples:
    """By model; `clock` gives Unix time in seconds."""

    def __init__(self, models: Collection[str], clock: Callable[[], float] = time.time) -> None:
        self._models = tuple(models)
        self._clock = clock
        self._lines: dict[str, deque[tuple[float, Line]]] = {}

    def add(self, line: Any) -> None:
        """Raises BadSampleError."""
        if not isinstance(line, dict) or line.get("schema_version") != SCHEMA_VERSION:
            raise BadSampleError(f"a sample is a JSON object with schema_version {SCHEMA_VERSION}")
        model = line.get("model")
        if model not in self._models:
            raise BadSampleError(f"model: one of {', '.join(self._models)}, not {str(model)[:40]!r}")
        self._lines.setdefault(model, deque(maxlen=MOST_LINES)).append((self._clock(), line))

    def latest(self, model: str) -> tuple[float, Line] | None:
        """Age in seconds and content of the last line; None where none is fresh."""
        lines = self._lines.get(model)
        if not lines:
            return None
        arrived, line = lines[-1]
        age_s = self._clock() - arrived
        return (age_s, line) if age_s <= FRESH_S else None

    def recent(self, model: str, count: int) -> list[Line]:
        """The last `count` lines."""
        return [line for _, line in list(self._lines.get(model, ()))[-count:]]

    def between(self, model: str, from_unix: float, to_unix: float) -> list[Line]:
        """The lines that arrived in between."""
        return [line for arrived, line in self._lines.get(model, ()) if from_unix <= arrived <= to_unix]


Row = dict[str, str]

COLUMNS = {"what": "Server", "now": "Now", "meaning": "What it is"}

_ABSENT = "-"


def table(model: str, latest: tuple[float, Line] | None, lines: list[Line]) -> list[Row]:
    """The rows of the Server tab: what is known of the target, and what it means. `lines`: the last few, oldest first.

    What is dear to read is not in every line, and shown as it was last read.
    """
    if latest is None:
        help_text = f"no probe tells of it; to start one: docker compose up -d probe-{model}"
        return [{"what": model, "now": _ABSENT, "meaning": help_text}]
    age_s, line = latest
    level = {name: value for one in lines for name, value in one.items()}
    limits = line.get("limits") or {}
    rows = [
        (model, f"{age_s:.0f} s ago", "the target of the run, and the age of these figures"),
        ("CPU", _cpu(lines, limits), "cores used, of its limit"),
        ("throttled", _throttled(line), "share of the quota periods in which it was stopped"),
        ("memory", _memory(line.get("memory_now_bytes"), limits), "charged to its control group, of its limit"),
        ("PSS", _mib(level.get("pss_bytes")), "proportional set size of all its processes"),
        ("processes", _count(level.get("processes")), "made by fork, and the first one"),
        ("threads", _count(level.get("threads")), "of all processes together, main threads included"),
        (
            "voluntary switches",
            _of_tasks(lines, "voluntary_switches"),
            "gave up the CPU; by all tasks, ended ones too",
        ),
        ("involuntary switches", _of_tasks(lines, "involuntary_switches"), "was preempted; likewise"),
        ("connections", _count(line.get("established")), "established, accepted or still queued"),
        ("accept queue", _count(level.get("accept_queue")), "connections that wait for accept()"),
        ("overflows", _rate(lines, "listen_overflows"), "connections dropped because that queue was full"),
    ]
    return [{"what": what, "now": now, "meaning": meaning} for what, now, meaning in rows]


def held(now: int | None, wanted: int) -> Row:
    """The row that says how many idle holders there are."""
    count = f"{_count(now)} of {wanted:,}"
    return {"what": "idle holders", "now": count, "meaning": "held beside the users, as the load workers count them"}


def _count(value: Any) -> str:
    return _ABSENT if value is None else f"{value:,}"


def _mib(value: Any) -> str:
    return _ABSENT if value is None else f"{value / 2**20:.1f} MiB"


def _memory(value: Any, limits: Mapping[str, Any]) -> str:
    limit = limits.get("memory_bytes")
    return _mib(value) + (f" of {limit / 2**20:.0f}" if limit and value is not None else "")


def _grown(line: Line, name: str) -> Any:
    return line.get(f"{name}_since_last")


def _per_second(lines: Sequence[Line], name: str, read_with: str = "unix") -> float | None:
    """What a counter last grew by in a second: it is read with another figure, in every line that has that one."""
    having = [line for line in lines if read_with in line][-2:]
    if len(having) < 2 or (grown := _grown(having[-1], name)) is None:
        return None
    seconds = having[-1]["unix"] - having[-2]["unix"]
    return float(grown / seconds) if seconds > 0 else None


def _cpu(lines: Sequence[Line], limits: Mapping[str, Any]) -> str:
    used_us = _per_second(lines, "cpu_used_us")
    if used_us is None:
        return _ABSENT
    limit = limits.get("cpus")
    return f"{used_us / 1e6:.2f}" + (f" of {limit:g}" if limit else "")


def _throttled(line: Line) -> str:
    stopped, periods = _grown(line, "throttled_periods"), _grown(line, "periods")
    if stopped is None or periods is None:
        return _ABSENT
    return f"{stopped / periods:.0%}" if periods else "0%"


def _of_tasks(lines: Sequence[Line], name: str) -> str:
    """Of a counter that is read with the threads: the probe leaves it out where it is not known of all of them."""
    having = [line for line in lines if "threads" in line]
    return "not known" if len(having) > 1 and _grown(having[-1], name) is None else _rate(lines, name, "threads")


def _rate(lines: Sequence[Line], name: str, read_with: str = "unix") -> str:
    rate = _per_second(lines, name, read_with)
    return _ABSENT if rate is None else f"{rate:,.0f} /s"
