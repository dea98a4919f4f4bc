"""A worker's side of a run: prepare what users share, end it, report."""

from __future__ import annotations

import logging
import time
from typing import Any

from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import options
from loadtests.client import Address, resolve
from loadtests.messages import FINAL, RUN, RunOrder
from loadtests.recorder import Recorder
from loadtests.users import EchoUser, RunOnWorker

logger = logging.getLogger(__name__)


class Worker:
    """Listens to Locust's test events in one worker process."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._runner = runner
        self._run: RunOnWorker | None = None
        environment.events.test_start.add_listener(self.on_test_start)  # type: ignore[no-untyped-call]
        environment.events.test_stopping.add_listener(self.on_test_stopping)  # type: ignore[no-untyped-call]
        environment.events.test_stop.add_listener(self.on_test_stop)  # type: ignore[no-untyped-call]

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        found = vars(environment.parsed_options)
        order = RunOrder.from_wire(found[RUN])
        wanted = options.parse(found, targets=[str(found["target"])])
        to_monotonic = time.perf_counter() - time.time()
        closes_at = None if order.closes_unix is None else order.closes_unix + to_monotonic
        self._run = EchoUser.run_on_worker = RunOnWorker(
            options=wanted,
            address=_resolve(order.host, order.port),
            recorder=Recorder(time.perf_counter(), order.opens_unix + to_monotonic, closes_at),
            id=order.id,
        )

    def on_test_stopping(self, **_: Any) -> None:
        """Users still run here: the last moment at which what is in flight can be seen."""
        if self._run is not None and self._run.active:
            self._run.active = False
            self._run.recorder.finish(time.perf_counter())

    def on_test_stop(self, **_: Any) -> None:
        """Sent before Locust's own word that this worker has stopped, on the same socket: the master gets it first."""
        if self._run is not None:
            self._runner.send_message(FINAL, {"run": self._run.id, "final": self._run.recorder.to_wire()})
            self._run = None


def _resolve(host: str, port: int) -> Address | None:
    try:
        return resolve(host, port)
    except OSError as error:
        logger.error("%s:%d does not resolve: %s", host, port, error)
        return None
