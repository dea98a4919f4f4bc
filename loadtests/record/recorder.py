"""What one worker's users did, in slices of a second around the measured window.

Nothing here reads a clock: every call is told the time (seconds of one monotonic clock), in rising order.

Slices are cut at whole seconds from the opening of the window and at its closing, so the window is a set of whole
slices and a request is recorded once, in the slice it completes in. Slices are cut lazily, by the first completion past
an edge. That is exact: until then nothing completed, so each user's `sent_at` and `done_at` still say what was in
flight at the edge.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from loadtests.record.counts import (
    VERBS,
    Added,
    AskedBatch,
    Batch,
    Fates,
    OpenLoopTimes,
    Slice,
    Snapshot,
    UserClock,
)
from loadtests.record.histogram import Histogram
from loadtests.record.schedule import SlotCounts

SLICE_S = 1.0
MOST_SLICES = 3600
"""After an hour of slices the last one grows instead: a test left running in the web UI must not eat the memory."""


def _microseconds(durations_s: list[float]) -> list[int]:
    return [int(duration_s * 1e6) for duration_s in durations_s]


class Recorder:
    """Counts for a run from `started_at`, with a window from `opens_at` to `closes_at` (None: until `close`)."""

    def __init__(
        self,
        started_at: float,
        opens_at: float,
        closes_at: float | None,
        *,
        open_loop: bool = False,
        verbs: Sequence[str] = VERBS,
    ) -> None:
        self._open_loop = open_loop
        self._opens_at = opens_at
        self._closes_at = math.inf if closes_at is None else closes_at
        self._clocks: list[UserClock] = []
        self._slices: list[Slice] = []
        self._snapshot: Snapshot | None = None
        self._sent = self._completed = self._in_flight_at_end = 0
        self._slots = SlotCounts(opens_at, self._closes_at)
        self._times = OpenLoopTimes()
        self._asked = {verb: Histogram() for verb in verbs}
        self._fates = {verb: Fates() for verb in verbs}
        self._finished = False
        self._current = self._slice_from(started_at)

    def join(self, clock: UserClock | None = None, now: float = -math.inf) -> UserClock:
        """The clock of one more user, who comes `now`: a new one, or its own, which the user then keeps itself."""
        clock = clock or UserClock()
        clock.joined_at = now
        self._clocks.append(clock)
        return clock

    def begin(self, clock: UserClock, now: float) -> None:
        """A user of a closed loop begins a request."""
        self._sent += 1
        clock.due_at = clock.sent_at = now
        clock.done_at = -math.inf  # also where it begins at the very moment the last one was done

    def begin_slot(self, clock: UserClock, due: float, now: float, was_idle: bool) -> None:
        """A user of an open loop begins the request that was due at `due`; `was_idle` when it had waited for it."""
        self._sent += 1
        clock.due_at = due
        clock.sent_at = now
        clock.done_at = -math.inf
        self._slots.sent(due, now)
        if was_idle and self._opens_at <= now < self._closes_at:
            self._times.dispatch_lag_us.record(int((now - due) * 1e6))

    def connected(self, now: float) -> None:
        if now >= self._current.end:
            self._cut(now)
        self._current.connections += 1

    def ok(self, clock: UserClock, now: float, size: int) -> int:
        """A right echo of `size` bytes came at `now`. Its latency in microseconds."""
        current = self._current
        if now >= current.end:
            current = self._cut(now)
        due_at, sent_at = clock.due_at, clock.sent_at
        latency_us = int((now - due_at) * 1e6)
        current.ok += 1
        current.bytes += size
        current.latency_us.record(latency_us)
        if self._open_loop and current.in_window:
            self._times.service_time_us.record(int((now - sent_at) * 1e6))
            self._times.send_lag_us.record(int((sent_at - due_at) * 1e6))
        clock.done_at = clock.replied_at = now
        self._completed += 1
        return latency_us

    def asked(self, verb: str, latency_us: int, is_checked: bool, is_stale: bool) -> None:
        """What the request that was just answered had been asked for, and whether that was found stale."""
        current = self._current
        current.checked += is_checked
        current.stale += is_stale
        self._right(verb, 1)
        if current.in_window:
            self._asked[verb].record(latency_us)

    def _right(self, verb: str, count: int) -> None:
        # What comes after the end was in flight at it.
        if not self._finished:
            self._fates[verb].ok += count

    def from_cache(self, age_s: int) -> None:
        """The reply that was just counted came from a cache, and was this old."""
        current = self._current
        current.cached += 1
        current.age_max_s = max(current.age_max_s, age_s)

    def failed(self, clock: UserClock, now: float, kind: str, answered: bool, verb: str = "") -> None:
        """A request failed at `now`; `answered` when the server did reply, though not with the echo. `verb`: what it
        had asked for; empty with nothing to choose."""
        current = self._current
        if now >= current.end:
            current = self._cut(now)
        current.failures[kind] = current.failures.get(kind, 0) + 1
        if verb and current.in_window:
            self._fates[verb].failures[kind] += 1
        clock.done_at = now
        self._completed += 1
        if answered:
            clock.replied_at = now

    # A batch at a time, for users that keep their clocks themselves: see `Batch`.

    @property
    def edge(self) -> float:
        """When the current slice ends. Who counts in batches adds what came before it, and then cuts."""
        return self._current.end

    def cut(self, now: float) -> None:
        """End the slices that are over at `now`."""
        self._cut(now)

    def slot_sent(self, due: float, now: float) -> None:
        """The slot of `due` was sent at `now`; beside the batch, which counts the request itself."""
        self._slots.sent(due, now)

    def add(self, batch: Batch, size: int) -> Added:
        """Count what happened within the current slice, each right echo with `size` bytes, and empty the batch."""
        current = self._current
        self._sent += batch.sent
        current.connections += batch.connections
        current.cached += batch.cached
        current.age_max_s = max(current.age_max_s, batch.age_max_s)
        ok = len(batch.latency_s)
        self._completed += ok
        current.ok += ok
        current.bytes += ok * size
        latencies_us = _microseconds(batch.latency_s)
        added = Added(ok, ok * size, sum(latencies_us), current.latency_us.record_many(latencies_us))
        if self._open_loop and current.in_window:
            self._times.service_time_us.record_many(_microseconds(batch.service_time_s))
            self._times.send_lag_us.record_many(_microseconds(batch.send_lag_s))
            self._times.dispatch_lag_us.record_many(_microseconds(batch.dispatch_lag_s))
        batch.clear()
        return added

    def add_asked(self, asked: AskedBatch) -> dict[str, Added]:
        """Right after `add`, which is told a size of 0: what those requests asked for. What was added, by verb."""
        current = self._current
        current.checked += asked.checked
        current.stale += asked.stale
        added = {}
        for verb, latency_s in asked.latency_s.items():
            if latency_s:
                self._right(verb, len(latency_s))
                latencies_us = _microseconds(latency_s)
                histogram = self._asked[verb] if current.in_window else Histogram()
                counts = histogram.record_many(latencies_us)
                added[verb] = Added(len(latency_s), asked.bytes[verb], sum(latencies_us), counts)
        current.bytes += sum(asked.bytes.values())
        asked.clear()
        return added

    @property
    def in_flight(self) -> int:
        """Requests begun and not completed."""
        return self._sent - self._completed

    def close(self, now: float, untaken: Iterable[float] = ()) -> None:
        """The run is being stopped: a window still open closes here, and `untaken` slots will never be sent."""
        self._cut(now)
        if self._snapshot is None:
            self._closes_at = now
            self._snapshot = self._take_snapshot(now)
            # What users still finish belongs to no window.
            self._end_current(now)
            self._current = self._slice_from(now)
        self._slots.unsent(untaken)

    def finish(self, now: float) -> None:
        """The users have had their time to finish: what is in flight now stays so for ever."""
        if self._snapshot is None:
            self.close(now)
        self._cut(now)
        self._in_flight_at_end = self._in_flight(now)
        self._end_current(now)
        self._finished = True
        # What still completes before its user is ended was in flight at the end: it goes into a slice nobody reads.
        self._current = Slice(now, math.inf, in_window=False)

    def to_wire(self) -> dict[str, Any]:
        """The final report of a finished recorder; times in seconds from the opening of the window."""
        if self._snapshot is None or not self._finished:
            raise RuntimeError("a recorder reports when it has finished")
        return {
            "closes_s": self._closes_at - self._opens_at,
            "users": self._snapshot.users,
            "users_starved": self._snapshot.users_starved,
            "users_absent": round(self._snapshot.users_absent, 6),
            "in_flight": self._snapshot.in_flight,
            "in_flight_at_end": self._in_flight_at_end,
            "sent": self._sent,
            "slots": self._slots.to_wire(),
            "service_time_us": self._times.service_time_us.to_wire(),
            "send_lag_us": self._times.send_lag_us.to_wire(),
            "dispatch_lag_us": self._times.dispatch_lag_us.to_wire(),
            "asked_us": {verb: histogram.to_wire() for verb, histogram in self._asked.items() if histogram.count},
            "fates": {verb: fates.to_wire() for verb, fates in self._fates.items()},
            "slices": [piece.to_wire(self._opens_at) for piece in self._slices],
        }

    def _cut(self, now: float) -> Slice:
        """End the slices that are over at `now` and return the one that holds `now`."""
        current = self._current
        while now >= current.end:
            if current.end == self._closes_at and self._snapshot is None:
                self._snapshot = self._take_snapshot(current.end)
            current.in_flight = self._in_flight(current.end)
            self._slices.append(current)
            current = self._slice_from(current.end)
        self._current = current
        return current

    def _end_current(self, now: float) -> None:
        last = self._current
        if last.start < now or last.ok or last.failures or last.connections:
            last.end = now
            last.in_flight = self._in_flight(now)
            self._slices.append(last)

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
            users_absent=self._absent(at),
            in_flight=self._in_flight(at),
        )

    def _in_flight(self, at: float) -> int:
        # Written out: with ten thousand users a call for each would hold them all up, every second.
        return sum(clock.done_at < clock.sent_at <= at for clock in self._clocks)

    def _absent(self, at: float) -> float:
        opens_at, length = self._opens_at, at - self._opens_at
        if length <= 0:
            return 0.0
        return sum(max(0.0, min(clock.joined_at, at) - opens_at) for clock in self._clocks) / length
