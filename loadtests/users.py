"""The closed-loop user: one request in flight, the next when the reply is there and the think time is over."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from itertools import cycle
from time import perf_counter
from typing import Any, ClassVar

import gevent
from locust import User, constant, task

from loadtests import payload
from loadtests.client import Address, ConnectError, EchoClient, EchoError
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
    active: bool = True
    id: str = ""
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
        run = self.run_on_worker
        options = run.options
        self.clock: UserClock = run.recorder.join()
        self.lines = cycle(payload.ring(run.rng, options.payload_bytes, options.sleep_us, options.spin_units))
        self.client: EchoClient | None = None

    def on_stop(self) -> None:
        if self.client is not None:
            self.client.close()

    @task
    def drive(self) -> None:
        run, options = self.run_on_worker, self.run_on_worker.options
        recorder, clock = run.recorder, self.clock
        fire = self.environment.events.request.fire
        think_s, requests_per_connection = options.think_ms / 1000, options.requests_per_connection
        if run.address is not None:
            self.client = EchoClient(run.address, options.reply_timeout_s)
        client = self.client
        requests_on_connection = 0
        backoff_s = SHORTEST_BACKOFF_S

        while run.active:
            line = next(self.lines)
            size = len(line)
            clock.sent_at = sent_at = perf_counter()
            try:
                if client is None:
                    raise ConnectError("unknown host")
                if not client.connected:
                    client.connect()
                    recorder.connected(perf_counter())
                    requests_on_connection = 0
                client.round_trip(line)
            except EchoError as error:
                recorder.failed(clock, perf_counter(), error.kind, error.answered)
                self._report(fire, None, 0, error)
                if client is not None:
                    client.close()
                gevent.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
                continue
            now = perf_counter()
            latency_us = int((now - sent_at) * 1e6)
            recorder.ok(clock, now, latency_us, size)
            self._report(fire, latency_us / 1000, size, None)
            backoff_s = SHORTEST_BACKOFF_S
            requests_on_connection += 1
            if requests_on_connection == requests_per_connection:
                client.close()
            if think_s:
                gevent.sleep(think_s)

    def _report(self, fire: Any, response_time_ms: float | None, size: int, error: EchoError | None) -> None:
        """Tell Locust. A failure has no response time, so that quick failures cannot improve Locust's percentiles."""
        fire(
            request_type=REQUEST_TYPE,
            name=self.run_on_worker.options.target,
            response_time=response_time_ms,
            response_length=size,
            exception=error,
            context={},
        )
