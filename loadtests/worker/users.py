"""The users: in a closed loop each sends its next request after the reply, in an open loop when a slot says so.

With engine plain, the user below does all of it itself, which is the version to read; with engine fast, it hands its
connection to the engine that all users of the process share (`loadtests/worker/fast`) and sleeps until the run is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from time import perf_counter
from typing import ClassVar

import gevent
from locust import User, constant, task
from locust.exception import StopUser

from loadtests.client import Address, EchoClient
from loadtests.record.counts import UserClock
from loadtests.record.recorder import Recorder
from loadtests.replies import ConnectError, EchoError
from loadtests.worker import payload
from loadtests.worker.asks import UserAsks
from loadtests.worker.dispatcher import Dispatcher
from loadtests.worker.fast.connection import UserConnection
from loadtests.worker.pauses import longer
from loadtests.worker.run import RunOnWorker


class EchoUser(User):
    """Sends requests and compares every echo.

    The loop lives inside one task: Locust's own machinery to pick the next task costs a third of a request.
    """

    # Only for Locust's page, which asks for one; the target of a run decides where the load goes.
    host = "Threadmill"
    wait_time = constant(0)
    run_on_worker: ClassVar[RunOnWorker]
    """Set once per run, before users start."""

    def on_start(self) -> None:
        self.load = run = self.run_on_worker
        options = run.options
        self.lines: Iterator[bytes] = run.items or self._ring(run)
        self.asks: UserAsks | None = None
        if run.asks is not None:
            self.lines = self.asks = run.asks.user(self.lines)
        self.client: EchoClient | None = None
        self.connection: UserConnection | None = None
        if run.engine is not None:
            # Those of UserAsks have each its own, and to take one would be to ask it.
            size = 0 if self.asks is not None else run.wire.size(next(self.lines))
            self.connection = run.engine.join(self.lines, size)
            return
        self.clock: UserClock = run.recorder.join(now=perf_counter())
        if run.destination is not None:
            self.client = EchoClient(run.destination.choose, run.wire, options.reply_timeout_s)
        self.requests_on_connection = 0
        self.fire = self.environment.events.request.fire

    @staticmethod
    def _ring(run: RunOnWorker) -> Iterator[bytes]:
        options, asks = run.options, run.asks
        every = payload.words(options.sleep_us, options.spin_units, options.hash_rounds)
        words = every if asks is None else asks.words
        made = run.wire.request if asks is None or asks.sends_whole else run.wire.rest
        return cycle([made(one, words) for one in payload.ring(run.rng, options.payload_bytes)])

    def on_stop(self) -> None:
        if self.client is not None:
            self.client.close()
        if self.connection is not None and self.load.engine is not None:
            self.load.engine.leave(self.connection)

    @task
    def drive(self) -> None:
        run = self.load
        if run.engine is not None and self.connection is not None:
            run.engine.drive(self.connection)
        else:
            self._drive_alone(run)
        # Gone at once, so that a server with room for one client gets to the next before the run is over.
        raise StopUser

    def _drive_alone(self, run: RunOnWorker) -> None:
        early_s = run.begins_at - perf_counter()
        if early_s > 0:
            gevent.sleep(early_s)
        if run.dispatcher is None:
            self._go_round(run)
        else:
            self._follow(run, run.dispatcher)

    def _go_round(self, run: RunOnWorker) -> None:
        """The closed loop: send, wait for the reply, think."""
        recorder, clock = run.recorder, self.clock
        think_s = run.options.think_ms / 1000
        pause_s = 0.0
        while run.active:
            recorder.begin(clock, perf_counter())
            if self._exchange(recorder, clock):
                pause_s = 0.0
                if think_s:
                    gevent.sleep(think_s)
            else:
                pause_s = longer(pause_s)
                gevent.sleep(pause_s)

    def _follow(self, run: RunOnWorker, dispatcher: Dispatcher) -> None:
        """The open loop: the schedule goes on whatever the server does, so failures are no reason to wait."""
        recorder, clock = run.recorder, self.clock
        while run.active:
            due = dispatcher.claim()
            was_idle = due is None
            if due is None and (due := dispatcher.wait()) is None:
                return
            recorder.begin_slot(clock, due, perf_counter(), was_idle)
            if not self._exchange(recorder, clock):
                gevent.sleep(0)

    def _exchange(self, recorder: Recorder, clock: UserClock) -> bool:
        """One request that has begun, on the connection there is or a new one; whether the echo was right."""
        client = self.client
        line = next(self.lines)
        try:
            if client is None:
                raise ConnectError("unknown host")
            if not client.connected:
                self._count(client.connect())
                recorder.connected(perf_counter())
                self.requests_on_connection = 0
            is_stale = client.round_trip(line)
        except EchoError as error:
            verb = self.asks.verb if self.asks is not None else ""
            recorder.failed(clock, perf_counter(), error.kind, error.answered, verb)
            if self.asks is not None:
                self.asks.failed(error)
            self._report(None, 0, error)
            is_kept = error.keeps_connection and self.load.options.requests_per_connection is None
            if client is not None and not is_kept:
                client.close()
            return False
        size = self.load.wire.size(line)
        latency_us = recorder.ok(clock, perf_counter(), size)
        if self.asks is not None:
            recorder.asked(self.asks.verb, latency_us, self.asks.is_checked, is_stale)
            self.asks.answered()
        if client.is_cached:
            recorder.from_cache(client.age_s)
        self._report(latency_us / 1000, size, None)
        self.requests_on_connection += 1
        if client.is_last or self.requests_on_connection == self.load.options.requests_per_connection:
            client.close()
        return True

    def _count(self, address: Address) -> None:
        if self.load.destination is not None:
            self.load.destination.opened(address)

    def _report(self, response_time_ms: float | None, size: int, error: EchoError | None) -> None:
        """Tell Locust. A failure has no response time, so that quick failures cannot improve Locust's percentiles."""
        self.fire(
            request_type=self.load.request_type,
            name=self.load.options.target if self.asks is None else f"{self.load.options.target} {self.asks.verb}",
            response_time=response_time_ms,
            response_length=size,
            exception=error,
            context={},
        )
