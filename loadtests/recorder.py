"""What one worker's users did, in slices of a second around the measured window.

Nothing here reads a clock: every call is told the time (seconds of one monotonic clock), in rising order.

Slices are cut at whole seconds from the opening of the window and at its closing, so the window is a set of whole
slices and a request is recorded once, in the slice it completes in. Slices are cut lazily, by the first completion past
an edge. That is exact: until then nothing completed, so each user's `sent_at` and `done_at` still say what was in
flight at the edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from loadtests.histogram import Histogram

SLICE_S = 1.0
MOST_SLICES = 3600
"""After an hour of slices the last one grows instead: a test left running in the web UI must not eat the memory."""


@dataclass(slots=True)
class UserClock:
    """When a user last began a request, last completed one (in whatever way), and was last answered."""

    sent_at: float = -math.inf
    done_at: float = -math.inf
    replied_at: float = -math.inf

    def in_flight(self, at: float) -> bool:
        return self.done_at < self.sent_at <= at


@dataclass(slots=True)
class Slice:
    """Requests that completed in [start, end)."""

    start: float
    end: float
    in_window: bool
    ok: int = 0
    bytes: int = 0
    connections: int = 0
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
            "failures": self.failures,
            "latency_us": self.latency_us.to_wire(),
        }


@dataclass(frozen=True)
class Snapshot:
    """The users at the closing of the window."""

    users: int
    users_starved: int
    in_flight: int


class Recorder:
    """Counts for a run from `started_at`, with a window from `opens_at` to `closes_at` (None: to the end)."""

    def __init__(self, started_at: float, opens_at: float, closes_at: float | None) -> None:
        self._opens_at = opens_at
        self._closes_at = math.inf if closes_at is None else closes_at
        self._clocks: list[UserClock] = []
        self._slices: list[Slice] = []
        self._snapshot: Snapshot | None = None
        self._in_flight_at_end = 0
        self._current = self._slice_from(started_at)

    def join(self) -> UserClock:
        """The clock of one more user."""
        clock = UserClock()
        self._clocks.append(clock)
        return clock

    def connected(self, now: float) -> None:
        if now >= self._current.end:
            self._cut(now)
        self._current.connections += 1

    def ok(self, clock: UserClock, now: float, latency_us: int, size: int) -> None:
        """A right echo of `size` bytes came at `now`."""
        current = self._current
        if now >= current.end:
            current = self._cut(now)
        current.ok += 1
        current.bytes += size
        current.latency_us.record(latency_us)
        clock.done_at = clock.replied_at = now

    def failed(self, clock: UserClock, now: float, kind: str, answered: bool) -> None:
        """A request failed at `now`; `answered` when the server did reply, though not with the echo."""
        current = self._current
        if now >= current.end:
            current = self._cut(now)
        current.failures[kind] = current.failures.get(kind, 0) + 1
        clock.done_at = now
        if answered:
            clock.replied_at = now

    def finish(self, now: float) -> None:
        """The run ends at `now`; a window still open closes. Call it while users are as they were, not yet stopped."""
        self._cut(now)
        if self._snapshot is None:
            self._closes_at = now
            self._snapshot = self._take_snapshot(now)
        self._in_flight_at_end = sum(clock.in_flight(now) for clock in self._clocks)
        last = self._current
        if last.start < now or last.ok or last.failures or last.connections:
            last.end = now
            self._slices.append(last)
        # What still completes before its user is stopped was in flight at the end: it goes into a slice nobody reads.
        self._current = Slice(now, math.inf, in_window=False)

    def to_wire(self) -> dict[str, Any]:
        """The final report of a finished recorder; times in seconds from the opening of the window."""
        if self._snapshot is None:
            raise RuntimeError("a recorder reports when it has finished")
        return {
            "closes_s": self._closes_at - self._opens_at,
            "users": self._snapshot.users,
            "users_starved": self._snapshot.users_starved,
            "in_flight": self._snapshot.in_flight,
            "in_flight_at_end": self._in_flight_at_end,
            "slices": [piece.to_wire(self._opens_at) for piece in self._slices],
        }

    def _cut(self, now: float) -> Slice:
        """End the slices that are over at `now` and return the one that holds `now`."""
        current = self._current
        while now >= current.end:
            if current.end == self._closes_at:
                self._snapshot = self._take_snapshot(current.end)
            self._slices.append(current)
            current = self._slice_from(current.end)
        self._current = current
        return current

    def _slice_from(self, start: float) -> Slice:
        second = math.floor((start - self._opens_at) / SLICE_S + 1e-9) + 1
        end = self._opens_at + second * SLICE_S if len(self._slices) < MOST_SLICES else math.inf
        if start < self._opens_at:
            end = min(end, self._opens_at)
        if start < self._closes_at:
            end = min(end, self._closes_at)
        return Slice(start, end, in_window=self._opens_at <= start < self._closes_at)

    def _take_snapshot(self, at: float) -> Snapshot:
        return Snapshot(
            users=len(self._clocks),
            users_starved=sum(not self._opens_at <= clock.replied_at <= at for clock in self._clocks),
            in_flight=sum(clock.in_flight(at) for clock in self._clocks),
        )
