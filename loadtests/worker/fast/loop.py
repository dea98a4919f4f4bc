"""Waits for all connections of a worker at once, and gives each completion to the loop that decides what follows.

It runs in gevent's hub: libev, which gevent waits with, calls `_run` when the epoll or the timer has something, and
serves heartbeats, reports and new users when it returns, after `SLICE_S` at the latest. An event costs no switch of
greenlets that way, and a slice with a hundred events costs one call.

The clock is read once for every event, after the reply was received and compared. In a closed loop that moment also
begins the user's next request, so what it takes to record an echo (below a microsecond) is part of the next latency.
Replies that have arrived wait their turn behind at most `MOST_EVENTS` others, as they would in any generator that is
busy; how busy it was is in the result.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter

from gevent import get_hub

from loadtests.client import Address
from loadtests.destination import Destination
from loadtests.record.counts import AskedBatch
from loadtests.record.recorder import Recorder
from loadtests.replies import EchoError, SilenceError
from loadtests.wire.protocols import Wire
from loadtests.worker.asks import UserAsks
from loadtests.worker.fast.connection import Poller, UserConnection
from loadtests.worker.fast.feed import Feed
from loadtests.worker.fast.pacing import Pacing
from loadtests.worker.timer import Timer

logger = logging.getLogger(__name__)

SLICE_S = 0.002
"""After so long the rest of the process gets its turn: little beside a heartbeat a second, much beside the turn."""

MOST_EVENTS = 64
"""Events taken at once. With more, those at the end would wait longer; with fewer, polling would cost more."""

SHORT_S = 60e-6
"""Who has to send again so soon does not go to sleep in between: being woken takes as long, and more work."""

PRECISE_S = 1e-3
"""In precise mode, how long before an intended start the engine stops sleeping: a sleeper is woken late."""

_LEAST_LOOK_S = 0.001
"""Looking for silences takes a look at every connection, so it is never done more often."""

_READABLE = 1
"""Event mask of libev: readable."""

_SOFTWARE = 70
"""Exit status of a program that found itself broken (sysexits.h)."""


class Loop:
    """The connections of one worker for one run."""

    def __init__(
        self,
        pacing: Pacing,
        recorder: Recorder,
        feed: Feed,
        destination: Destination | None,
        wire: Wire,
        *,
        reply_timeout_s: float,
        requests_per_connection: int | None,
        precise: bool,
        gets: bool = False,
        asked: AskedBatch | None = None,
        asked_feeds: Mapping[str, Feed] | None = None,
    ) -> None:
        """`gets`: a cache may answer. With something behind the server, `asked` is what its users count in, and Locust
        is fed by verb.

        Raises OSError when there is no epoll or timer to be had.
        """
        self._asked = asked
        self._asked_feeds = asked_feeds or {}
        answered = pacing.answered if asked is None else self._answered_of_behind
        self._answered, self._answered_by_server = self._answered_by_cache if gets else answered, answered
        self._pacing = pacing
        self._recorder = recorder
        self._feed = feed
        self._destination = destination
        self._wire = wire
        self._reply_timeout_s = reply_timeout_s
        self._early_s = PRECISE_S if precise else SHORT_S
        self._size = 0
        """Bytes of an echo; all of a run have the same."""
        self.spun_s = 0.0
        """Time spent looking again and again with nothing to do, because the next start was too near to go to sleep."""
        self._users: set[UserConnection] = set()
        pacing.fail = self._fail
        pacing.requests_per_connection = requests_per_connection
        self._poller = Poller()
        self._poller.looked_up = self._looked_up
        self._timer = Timer()
        self._set_for = math.inf
        now = perf_counter()
        self._look_at = now + reply_timeout_s
        self._feed_at = feed.next_at(now)
        loop = get_hub().loop
        self._watchers = [loop.io(one.descriptor, _READABLE) for one in (self._poller, self._timer)]
        for watcher in self._watchers:
            watcher.start(self._run)

    # What users call, each in its own greenlet

    def join(self, lines: Iterator[bytes], size: int) -> UserConnection:
        """One more user, who sends these requests, with echoes of `size` bytes; those of UserAsks have each its own."""
        connection = UserConnection(self._poller, self._destination, self._wire, lines)
        if isinstance(lines, UserAsks):
            connection.asks = lines
        else:
            self._size = size
        self._recorder.join(connection, perf_counter())
        return connection

    def drive(self, connection: UserConnection) -> None:
        """Let the connection take part until the run is over for it."""
        self._users.add(connection)
        self._pacing.join(connection, perf_counter())
        self._set_timer()
        connection.over.wait()

    def leave(self, connection: UserConnection) -> None:
        """The user is gone, whatever its connection was doing; harmless if it has left before."""
        self._users.discard(connection)
        if connection.asks is not None and connection.is_waiting:
            connection.asks.left()
        self._pacing.release(connection)

    # What the worker calls

    def stop(self, now: float) -> Iterable[float]:
        """Begin nothing more; users without a request under way are over, the others when theirs is answered.

        Returns the slots of an open loop that were due before `now` and never sent.
        """
        untaken = self._pacing.stop(now)
        for connection in self._users:
            if not connection.is_waiting:
                self._pacing.release(connection)
        return untaken

    def behind_s(self, now: float) -> float | None:
        """How long the oldest slot not yet sent is overdue; None in a closed loop."""
        return self._pacing.behind_s(now)

    def close(self) -> None:
        """Tell Locust the last figures and end whatever is left; harmless when it is closed."""
        if not self._watchers:
            return
        for watcher in self._watchers:
            watcher.stop()
            watcher.close()
        self._watchers.clear()
        for connection in self._users:
            self._pacing.release(connection)
        self._flush()
        self._tell_locust()
        self._poller.close()
        self._timer.close()
        if self._destination is not None:
            self._destination.close()

    # In the hub

    def _looked_up(self, connection: UserConnection, address: Address | None) -> None:
        if not self._watchers or connection not in self._users:
            return
        try:
            connection.go_to(address)
        except EchoError as error:
            self._fail(connection, perf_counter(), error)
            self._set_timer()
        self._flush()

    def _run(self) -> None:
        try:
            self._run_slice()
        except Exception:
            # A load that has come to a standstill in secret would be measured as a slow server.
            logger.exception("the load engine is broken: this worker ends")
            raise SystemExit(_SOFTWARE) from None

    def _run_slice(self) -> None:
        pacing, poller, recorder = self._pacing, self._poller, self._recorder
        poll, connections, answered = poller.poll, poller.connections, self._answered
        edge = recorder.edge
        now = perf_counter()
        pacing.until = until = now + SLICE_S
        while now < until:
            if now >= edge:
                edge = self._cut(now)
            if now >= pacing.next_at:
                pacing.run_due(now)
                now = perf_counter()
            events = poll(0, MOST_EVENTS)
            for descriptor, event in events:
                connection = connections.get(descriptor)
                if connection is None:
                    continue
                try:
                    if not connection.on_event(event):
                        continue
                except EchoError as error:
                    self._fail(connection, perf_counter(), error)
                    continue
                now = perf_counter()
                if now >= edge:
                    edge = self._cut(now)
                answered(connection, now)
            if not events:
                before, now = now, perf_counter()
                if pacing.next_at - now > self._early_s:
                    break
                self.spun_s += now - before
        self._flush()
        if now >= self._look_at:
            self._break_silences(now)
        if now >= self._feed_at:
            self._feed_at = self._feed.next_at(now)
            self._tell_locust()
        self._set_timer()

    def _set_timer(self) -> None:
        at = min(self._pacing.next_at - self._early_s, self._look_at, self._feed_at)
        # A timer that has expired stays so until it is set.
        if at != self._set_for or at <= perf_counter():
            self._set_for = at
            self._timer.set(at)

    def _flush(self) -> None:
        """Count the batch. Between slices it is empty, so that whoever looks at the recorder finds all in it."""
        batch, poller = self._pacing.batch, self._poller
        batch.connections, poller.opened = poller.opened, 0
        added = self._recorder.add(batch, self._size)
        if self._asked is not None:
            for verb, of_verb in self._recorder.add_asked(self._asked).items():
                self._asked_feeds[verb].add(of_verb)
        elif added.ok:
            self._feed.add(added)

    def _answered_by_cache(self, connection: UserConnection, now: float) -> None:
        """Or by the server: that is told of each."""
        if connection.is_cached:
            batch = self._pacing.batch
            batch.cached += 1
            batch.age_max_s = max(batch.age_max_s, connection.age_s)
        self._answered_by_server(connection, now)

    def _answered_of_behind(self, connection: UserConnection, now: float) -> None:
        asks, asked = connection.asks, self._asked
        if asks is not None and asked is not None:
            size = self._wire.size(connection.line)
            asked.add(asks.verb, now - connection.due_at, size, asks.is_checked, connection.is_stale)
            connection.is_stale = False
            asks.answered()
        self._pacing.answered(connection, now)

    def _tell_locust(self) -> None:
        for feed in (self._feed, *self._asked_feeds.values()):
            feed.flush()

    def _cut(self, now: float) -> float:
        """Begin the recorder's slice that holds `now`; when it ends."""
        self._flush()
        self._recorder.cut(now)
        return self._recorder.edge

    def _fail(self, connection: UserConnection, now: float, error: EchoError) -> None:
        self._flush()
        asks = connection.asks
        self._recorder.failed(connection, now, error.kind, error.answered, asks.verb if asks is not None else "")
        feed = self._feed
        if asks is not None:
            asks.failed(error)
            feed = self._asked_feeds[asks.verb]
        feed.failed(error)
        # Some answer before they have read all of it, and what is left of it would stand before the next request.
        is_good = error.keeps_connection and not connection.is_sending
        if is_good and self._pacing.requests_per_connection is None:
            connection.keep()
        else:
            connection.close()
        self._pacing.failed(connection)

    def _break_silences(self, now: float) -> None:
        """Give up on servers that have answered before and have been silent too long since."""
        timeout_s = self._reply_timeout_s
        earliest = math.inf
        for connection in list(self._poller.connections.values()):
            since = connection.silent_since()
            if now - since >= timeout_s:
                self._fail(connection, now, SilenceError())
            elif since < earliest:
                earliest = since
        # When the first of those under way would be due, if that is not too soon; a request yet to come is due later.
        self._look_at = max(min(now, earliest) + timeout_s, now + max(_LEAST_LOOK_S, timeout_s / 20))
