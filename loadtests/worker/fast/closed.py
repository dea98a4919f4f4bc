"""The closed loop: a user sends, waits for the reply, thinks, and sends again."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable
from time import perf_counter

from loadtests.replies import EchoError
from loadtests.worker.fast.connection import UserConnection
from loadtests.worker.fast.pacing import Pacing
from loadtests.worker.pauses import longer


class ClosedLoop(Pacing):
    """Users that pause are in a heap by the moment at which they go on."""

    def __init__(self, begins_at: float, think_s: float) -> None:
        super().__init__()
        self._begins_at = begins_at
        self._think_s = think_s
        self._pausing: list[tuple[float, int, UserConnection]] = []
        self._number = itertools.count()

    @property
    def next_at(self) -> float:
        return self._pausing[0][0] if self._pausing else math.inf

    def join(self, connection: UserConnection, now: float) -> None:
        self._pause(connection, max(now, self._begins_at))

    def answered(self, connection: UserConnection, now: float) -> None:
        self.batch.latency_s.append(now - connection.sent_at)
        connection.done_at = connection.replied_at = now
        connection.pause_s = 0.0
        if connection.replies == self.requests_per_connection or connection.is_last:
            connection.close()
            now = perf_counter()
        if not self.active:
            self.release(connection)
        elif self._think_s:
            self._pause(connection, now + self._think_s)
        else:
            self._begin(connection, now)

    def failed(self, connection: UserConnection) -> None:
        if not self.active:
            self.release(connection)
            return
        connection.pause_s = longer(connection.pause_s)
        self._pause(connection, connection.done_at + connection.pause_s)

    def _pause(self, connection: UserConnection, until: float) -> None:
        heapq.heappush(self._pausing, (until, next(self._number), connection))

    def _begin(self, connection: UserConnection, now: float) -> None:
        self.batch.sent += 1
        connection.due_at = connection.sent_at = now
        connection.done_at = -math.inf
        try:
            connection.request()
        except EchoError as error:
            self.fail(connection, perf_counter(), error)

    def run_due(self, now: float) -> None:
        pausing, until = self._pausing, self.until
        while pausing and pausing[0][0] <= now < until:
            _at, _number, connection = heapq.heappop(pausing)
            if not connection.over.is_set():
                self._begin(connection, now)
                now = perf_counter()

    def stop(self, _now: float) -> Iterable[float]:
        self.active = False
        self._pausing.clear()
        return ()
