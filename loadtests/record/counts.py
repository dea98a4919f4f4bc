"""What a recorder counts in and is told by: the clocks of its users, slices, batches."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtests.record.histogram import Histogram


@dataclass(slots=True, eq=False)
class UserClock:
    """When a user came, when its last request was due and begun, when it completed (in whatever way; -inf before that),
    and the last answer."""

    joined_at: float = -math.inf
    due_at: float = -math.inf
    sent_at: float = -math.inf
    done_at: float = -math.inf
    replied_at: float = -math.inf


@dataclass(slots=True)
class Slice:
    """Requests that completed in [start, end)."""

    start: float
    end: float
    in_window: bool
    ok: int = 0
    bytes: int = 0
    connections: int = 0
    in_flight: int = 0
    """At its end: requests begun and not completed."""
    stale: int = 0
    """Reads among `ok` whose value was older than a write that had been confirmed."""
    checked: int = 0
    """Reads among `ok` that could be found stale: the worker had written the key."""
    cached: int = 0
    """Replies among `ok` that a cache gave without asking the server."""
    age_max_s: int = 0
    """The greatest age of those."""
    failures: dict[str, int] = field(default_factory=dict)
    latency_us: Histogram = field(default_factory=Histogram)

    def to_wire(self, zero: float) -> dict[str, Any]:
        return {
            "start_s": self.start - zero,
            "end_s": self.end - zero,
            "in_window": self.in_window,
            "ok": self.ok,
            "bytes": self.bytes,
            "connections": self.connections,
            "in_flight": self.in_flight,
            "stale": self.stale,
            "checked": self.checked,
            "cached": self.cached,
            "age_max_s": self.age_max_s,
            "failures": self.failures,
            "latency_us": self.latency_us.to_wire(),
        }


@dataclass(slots=True)
class OpenLoopTimes:
    """What an open loop has to tell beside latency, of the same requests: those answered rightly in the window."""

    service_time_us: Histogram = field(default_factory=Histogram)
    send_lag_us: Histogram = field(default_factory=Histogram)
    dispatch_lag_us: Histogram = field(default_factory=Histogram)
    """Send lag of the slots for which a user was idle when they were due: the generator's own lateness."""


@dataclass(frozen=True)
class Snapshot:
    """The users at the closing of the window."""

    users: int
    users_starved: int
    users_absent: float
    """Users that came after the window had opened, each by the share of the window before it came."""
    in_flight: int


class Batch:
    """What happened since the recorder was last told: durations in seconds, one of each kind per right echo.

    Appending to bare lists and counting them some hundred at a time costs a sixth of recording one request at a time.
    """

    __slots__ = (
        "age_max_s",
        "cached",
        "connections",
        "dispatch_lag_s",
        "latency_s",
        "send_lag_s",
        "sent",
        "service_time_s",
    )

    def __init__(self) -> None:
        self.sent = 0
        """Requests begun."""
        self.connections = 0
        """Connections made."""
        self.cached = self.age_max_s = 0
        """Right echoes from a cache, and the greatest age of those."""
        self.latency_s: list[float] = []
        self.service_time_s: list[float] = []
        """This and the lags only in an open loop."""
        self.send_lag_s: list[float] = []
        self.dispatch_lag_s: list[float] = []
        """One per request begun for which a user was idle when it was due."""

    def clear(self) -> None:
        """Empties the lists in place: whoever has bound their `append` may keep it."""
        self.sent = self.connections = self.cached = self.age_max_s = 0
        self.latency_s.clear()
        self.service_time_s.clear()
        self.send_lag_s.clear()
        self.dispatch_lag_s.clear()


READ, WRITE, SCAN, SEND = VERBS = ("read", "write", "scan", "send")
"""What a request asks of what stands behind the server. Of several services, their names are in the place of these."""

ECHO, WORK = KINDS = ("echo", "work")
"""Likewise where some users ask for work and the others send bare echoes."""


class AskedBatch:
    """Beside a batch: what its right answers had been asked for, by verb."""

    __slots__ = ("bytes", "checked", "latency_s", "stale")

    def __init__(self, verbs: Sequence[str] = VERBS) -> None:
        self.latency_s: dict[str, list[float]] = {verb: [] for verb in verbs}
        self.bytes = dict.fromkeys(verbs, 0)
        self.stale = self.checked = 0

    def add(self, verb: str, latency_s: float, size: int, is_checked: bool, is_stale: bool) -> None:
        self.latency_s[verb].append(latency_s)
        self.bytes[verb] += size
        self.checked += is_checked
        self.stale += is_stale

    def clear(self) -> None:
        for verb, latency_s in self.latency_s.items():
            latency_s.clear()
            self.bytes[verb] = 0
        self.stale = self.checked = 0


@dataclass(slots=True)
class Fates:
    """Of the requests that asked for one thing, such as for one service."""

    ok: int = 0
    """Right answers over the whole run, the window's among them."""
    failures: Counter[str] = field(default_factory=Counter)
    """By kind, in the window."""

    def to_wire(self) -> dict[str, Any]:
        return {"ok": self.ok, "failures": dict(self.failures)}


@dataclass(frozen=True, slots=True)
class Added:
    """What a batch has added: right answers, the bytes of their requests, the sum of their latencies in microseconds,
    and how many in each bucket."""

    ok: int
    bytes: int
    total_us: int
    counts: Counter[int]
