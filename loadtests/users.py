"""The users: in a closed loop each sends its next request after the reply, in an open loop when a slot says so."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import ClassVar

import gevent
from locust import User, constant, task
from locust.exception import StopUser

from loadtests import payload
from loadtests.client import Address, ConnectError, EchoClient, EchoError
from loadtests.dispatcher import Dispatcher
from loadtests.options import Options
from loadtests.recorder import Recorder, UserClock

REQUEST_TYPE = "TCP"
SHORTEST_BACKOFF_S = 0.01
LONGEST_BACKOFF_S = 0.5
"""After failures a user waits before it connects again: a dead server must not be hammered, nor its return missed."""


@dataclass
class RunOnWorker:
    """One run as the users of this process see it."""

    options: Options
    address: Address | None
    """None when the target's name did not resolve: every request then fails as `connect`."""
    recorder: Recorder
    begins_at: float = 0.0
    """Moment of perf_counter before which nobody sends."""
    dispatcher: Dispatcher | None = None
    """None in a closed loop."""
    active: bool = True
    rng: random.Random = field(default_factory=lambda: random.Random(os.urandom(16)))


class EchoUser(User):
    """Sends lines and compares every echo.

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
        self.clock: UserClock = run.recorder.join()
        self.lines = cycle(
            payload.ring(run.rng, options.payload_bytes, options.sleep_us, options.spin_units, options.hash_rounds)
        )
        self.client = EchoClient(run.address, options.reply_timeout_s) if run.address is not None else None
        self.requests_on_connection = 0
        self.fire = self.environment.events.request.fire

    def on_stop(self) -> None:
        if self.client is not None:
            self.client.close()

    @task
    def drive(self) -> None:
        run = self.load
        early_s = run.begins_at - perf_counter()
        if early_s > 0:
            gevent.sleep(early_s)
        if run.dispatcher is None:
            self._go_round(run)
        else:
            self._follow(run, run.dispatcher)
        # Gone at once, so that a server with room for one client gets to the next before the run is over.
        raise StopUser

    def _go_round(self, run: RunOnWorker) -> None:
        """The closed loop: send, wait for the reply, think."""
        recorder, clock = run.recorder, self.clock
        think_s = run.options.think_ms / 1000
        backoff_s = SHORTEST_BACKOFF_S
        while run.active:
            recorder.begin(clock, perf_counter())
            if self._exchange(recorder, clock):
                backoff_s = SHORTEST_BACKOFF_S
                if think_s:
                    gevent.sleep(think_s)
            else:
                gevent.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

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
                client.connect()
                recorder.connected(perf_counter())
                self.requests_on_connection = 0
            client.round_trip(line)
        except EchoError as error:
            recorder.failed(clock, perf_counter(), error.kind, error.answered)
            self._report(None, 0, error)
            if client is not None:
                client.close()
            return False
        size = len(line)
        latency_us = recorder.ok(clock, perf_counter(), size)
        self._report(latency_us / 1000, size, None)
        self.requests_on_connection += 1
        if self.requests_on_connection == self.load.options.requests_per_connection:
            client.close()
        return True

    def _report(self, response_time_ms: float | None, size: int, error: EchoError | None) -> None:
        """Tell Locust. A failure has no response time, so that quick failures cannot improve Locust's percentiles."""
        self.fire(
            request_type=REQUEST_TYPE,
            name=self.load.options.target,
            response_time=response_time_ms,
            response_length=size,
            exception=error,
            context={},
        )
