"""A worker's side of a run: prepare what users share, end it, report."""

from __future__ import annotations

import gc
import logging
import resource
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import WorkerRunner

from loadtests import fields
from loadtests.destination import Destination
from loadtests.messages import FINAL, HELD, HOLD, LIVE, RUN, HoldOrder, RunOrder, before
from loadtests.wire import protocols
from loadtests.worker import generator
from loadtests.worker.clock import Ahead, MasterClock
from loadtests.worker.generator import CollectorClock, Reading
from loadtests.worker.holders import Holders
from loadtests.worker.run import RunOnWorker, Window
from loadtests.worker.users import EchoUser

logger = logging.getLogger(__name__)

_GRACE_STEP_S = 0.002


@dataclass(frozen=True)
class Edge:
    """What is read when the window opens or closes."""

    reading: Reading
    held: int
    unbroken: int


@dataclass
class WorkersRun:
    id: str
    shared: RunOnWorker
    holders: Holders
    master_clock: Ahead | None
    edges: list[Edge] = field(default_factory=list)
    watcher: gevent.Greenlet | None = None


class Worker:
    """Listens to Locust's test events in one worker process."""

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self._runner = runner
        self._run: WorkersRun | None = None
        self._holders = Holders(None, 0)
        """Of the run that is about to start."""
        self._collector = CollectorClock()
        self._last = generator.read(self._collector)
        self._clock = MasterClock(runner, lambda: self._run is None)
        runner.register_message(HOLD, self.on_hold)
        environment.events.test_start.add_listener(self.on_test_start)  # type: ignore[no-untyped-call]
        environment.events.test_stopping.add_listener(self.on_test_stopping)  # type: ignore[no-untyped-call]
        environment.events.test_stop.add_listener(self.on_test_stop)  # type: ignore[no-untyped-call]
        environment.events.report_to_master.add_listener(self.on_report)  # type: ignore[no-untyped-call]
        _raise_file_limit()
        # What has been imported stays: looking through it again would stop all users for tens of milliseconds.
        gc.collect()
        gc.freeze()

    def on_hold(self, msg: Any, **_: Any) -> None:
        """Open idle holders before the run in which they are to be there; the master waits for the answer."""
        order = HoldOrder(**msg.data)
        self._holders.close()
        self._holders = holders = Holders(
            _destination(order.host, order.port, order.dns, order.before) if order.wanted else None,
            order.wanted,
            order.at_once,
            protocols.of(order.protocol, order.target, order.api_key),
        )

        def tell() -> None:
            holders.settled.wait()
            self._runner.send_message(HELD, {"hold": order.id})

        # This is the loop that reads messages: it must not wait.
        gevent.spawn(tell)

    def on_test_start(self, environment: Environment, **_: Any) -> None:
        found = vars(environment.parsed_options)
        order = RunOrder.from_wire(found[RUN])
        wanted = fields.parse(found, targets=[str(found["target"])])
        ahead = self._clock.ahead
        to_monotonic = time.perf_counter() - time.time() - (0.0 if ahead is None else ahead.applied_s)
        begins_at, opens_at = order.begins_unix + to_monotonic, order.opens_unix + to_monotonic
        closes_at = None if order.closes_unix is None else order.closes_unix + to_monotonic
        index, workers = order.workers.index(self._runner.client_id), len(order.workers)
        destination = _destination(order.host, order.port, wanted.dns, before(order.users, index, workers))
        window = Window(begins_at, opens_at, closes_at)
        shared = RunOnWorker.prepare(wanted, destination, window, environment.stats, index, workers)
        self._run = run = WorkersRun(order.id, shared, self._holders, ahead)
        self._holders = Holders(None, 0)
        EchoUser.run_on_worker = shared
        run.watcher = gevent.spawn(self._read_edges, run, opens_at, closes_at)

    def _read_edges(self, run: WorkersRun, opens_at: float, closes_at: float | None) -> None:
        for edge_at in (opens_at, closes_at):
            if edge_at is not None:
                gevent.sleep(max(0.0, edge_at - time.perf_counter()))
                self._read_edge(run)

    def _read_edge(self, run: WorkersRun) -> None:
        reading = generator.read(self._collector, run.shared.spun_s)
        if not run.edges:
            run.holders.mark()
        run.edges.append(Edge(reading, run.holders.held, run.holders.unbroken))

    def on_report(self, data: dict[str, Any], **_: Any) -> None:
        """What the page and the status show while a run is under way."""
        run = self._run
        now = generator.read(self._collector, 0.0 if run is None else run.shared.spun_s)
        # Between two runs the clock of what was spun begins anew.
        before = self._last if self._last.spun_s <= now.spun_s else replace(self._last, spun_s=0.0)
        live: dict[str, Any] = {"cpu_share": generator.spent("", before, now)["cpu_share"], "behind_s": None}
        self._last = now
        if run is not None:
            behind_s = run.shared.behind_s(now.at)
            live["behind_s"] = None if behind_s is None else round(behind_s, 3)
            live["idle_holders"] = run.holders.held
        data[LIVE] = live

    def on_test_stopping(self, **_: Any) -> None:
        """Users still run here. Nothing new begins; what is in flight has its time to be answered, bounded."""
        run = self._run
        if run is None or not run.shared.active:
            return
        shared, recorder = run.shared, run.shared.recorder
        now = time.perf_counter()
        shared.stop(now)
        if run.watcher is not None:
            run.watcher.kill()
        if len(run.edges) == 1:
            self._read_edge(run)
        # First of all: on a server with room for few clients they stand before the users.
        run.holders.close()
        deadline = now + shared.options.stop_grace_s
        while recorder.in_flight and time.perf_counter() < deadline:
            gevent.sleep(_GRACE_STEP_S)
        recorder.finish(time.perf_counter())

    def on_test_stop(self, **_: Any) -> None:
        """Sent before Locust's own word that this worker has stopped, on the same socket: the master gets it first."""
        run, self._run = self._run, None
        if run is not None:
            run.shared.end()
            final = run.shared.recorder.to_wire() | self._cost(run)
            self._runner.send_message(FINAL, {"run": run.id, "final": final})

    def _cost(self, run: WorkersRun) -> dict[str, Any]:
        """Null where the window never opened."""
        found = run.holders
        holders: dict[str, Any] = {
            "wanted": found.wanted,
            "opened": found.opened,
            **dict.fromkeys(("held_at_open", "held_at_close", "held_throughout")),
            "dropped": found.dropped,
            "echoes": found.echoes,
            "unanswered": found.unanswered,
            "failures": dict(found.failures),
            "said": found.said,
        }
        cost = None
        if len(run.edges) == 2:
            opening, closing = run.edges
            cost = generator.spent(self._runner.client_id, opening.reading, closing.reading)
            holders |= {"held_at_open": opening.held, "held_at_close": closing.held}
            holders["held_throughout"] = closing.unbroken
        made = Counter(found.connections)
        if run.shared.destination is not None:
            made.update(run.shared.destination.connections)
        clock = None if run.master_clock is None else run.master_clock.as_json()
        return {"generator": cost, "idle_holders": holders, "connections": dict(made), "master_clock": clock}


def _raise_file_limit() -> None:
    """As far as allowed: Locust's own 10,000 would not hold the connections of one run."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _destination(host: str, port: int, dns: str, before: int) -> Destination | None:
    try:
        return Destination(host, port, dns, before)
    except OSError as error:
        logger.error("%s:%d does not resolve: %s", host, port, error)
        return None
