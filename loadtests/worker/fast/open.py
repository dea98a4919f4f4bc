"""The open loop: every slot of the schedule is sent when it is due, or as soon after as a user is free for it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter

from loadtests.replies import EchoError
from loadtests.worker.fast.connection import UserConnection
from loadtests.worker.fast.pacing import Pacing


class OpenLoop(Pacing):
    """Slots in order, none skipped; the user that has been idle longest takes the next."""

    def __init__(self, arrivals: Iterator[float], slot_sent: Callable[[float, float], None]) -> None:
        """`arrivals`: rising intended starts without end. `slot_sent` is told intended and actual start of each."""
        super().__init__()
        self._arrivals = arrivals
        self._next_due = next(arrivals)
        self._slot_sent = slot_sent
        self._idle: deque[UserConnection] = deque()

    @property
    def next_at(self) -> float:
        return self._next_due if self._idle and self.active else math.inf

    def join(self, connection: UserConnection, now: float) -> None:
        # It was not there before: a slot that was due already has not found it idle.
        connection.done_at = now
        self._idle.append(connection)

    def answered(self, connection: UserConnection, now: float) -> None:
        batch, due_at, sent_at = self.batch, connection.due_at, connection.sent_at
        batch.latency_s.append(now - due_at)
        batch.service_time_s.append(now - sent_at)
        batch.send_lag_s.append(sent_at - due_at)
        connection.done_at = connection.replied_at = now
        if connection.replies == self.requests_per_connection or connection.is_last:
            connection.close()
            now = perf_counter()
        if not self.active:
            self.release(connection)
            return
        self._idle.append(connection)
        if self._next_due <= now:
            self.run_due(now)

    def failed(self, connection: UserConnection) -> None:
        """The schedule goes on whatever the server does, so failures are no reason to wait."""
        if not self.active:
            self.release(connection)
            return
        self._idle.append(connection)

    def run_due(self, now: float) -> None:
        idle, until = self._idle, self.until
        while idle and self._next_due <= now < until and self.active:
            connection = idle.popleft()
            if not connection.over.is_set():
                due, self._next_due = self._next_due, next(self._arrivals)
                self._begin(connection, due, now)
                now = perf_counter()

    def _begin(self, connection: UserConnection, due: float, now: float) -> None:
        batch = self.batch
        batch.sent += 1
        # A user was idle when the slot was due if the one that has been idle longest was.
        if connection.done_at <= due:
            batch.dispatch_lag_s.append(now - due)
        self._slot_sent(due, now)
        connection.due_at, connection.sent_at, connection.done_at = due, now, -math.inf
        try:
            connection.request()
        except EchoError as error:
            self.fail(connection, perf_counter(), error)

    def behind_s(self, now: float) -> float:
        return max(0.0, now - self._next_due)

    def stop(self, now: float) -> Iterable[float]:
        self.active = False
        self._idle.clear()
        return self._untaken(now)

    def _untaken(self, now: float) -> Iterator[float]:
        while self._next_due < now:
            yield self._next_due
            self._next_due = next(self._arrivals)
