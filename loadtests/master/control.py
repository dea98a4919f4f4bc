"""The master's side of a run: order it, watch it, stop it, have its result written."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests import combinations, fields
from loadtests.master.current import CurrentRun
from loadtests.master.holding import Holding
from loadtests.master.result_files import ResultFiles
from loadtests.master.samples import Samples
from loadtests.master.served_by import ServedBy
from loadtests.master.workers import Workers
from loadtests.messages import FINAL, RUN, RunOrder
from loadtests.options import Options

logger = logging.getLogger(__name__)

WATCH_S = 0.1
FINALS_TIMEOUT_S = 10.0
READY_TIMEOUT_S = 5.0
STOP_MARGIN_S = 0.05
LEAD_S = 0.25
"""In an open loop users come up and connections are made before the first request."""
ABANDONED_AFTER_S = 30.0
"""A trial whose window closed this long ago has lost whoever drives it: the load must not go on for ever."""


class StartRefusedError(Exception):
    """One line that tells a person why a run does not start."""


class Control:
    """Knows the run under way or the last one; there is at most one at a time."""

    def __init__(
        self,
        environment: Environment,
        runner: MasterRunner,
        targets: dict[str, tuple[str, int]],
        results_directory: Path,
        fronts: dict[str, str] | None = None,
    ) -> None:
        """`fronts`: what is behind each target that is a front."""
        self.environment = environment
        self.runner = runner
        self.targets = targets
        self.run: CurrentRun | None = None
        self.workers = Workers(environment, runner)
        self.samples = Samples(list(targets))
        self.fronts = fronts or {}
        self.served_by = ServedBy(targets, self.fronts, self.samples)
        self._files = ResultFiles(results_directory, self.served_by)
        self._next: Options | None = None
        self._next_replies = 0
        self._started = Event()
        self._stop_greenlet: gevent.Greenlet | None = None
        self._holding = Holding(runner, targets)
        runner.register_message(FINAL, self._on_final)
        environment.events.test_start.add_listener(self._on_test_start)  # type: ignore[no-untyped-call]
        environment.events.test_stopping.add_listener(self._on_test_stopping)  # type: ignore[no-untyped-call]

    @property
    def is_idle(self) -> bool:
        """Whether no run is under way: only then may anything but a run touch the servers."""
        return self.run is None or self.run.over.is_set()

    # Starting

    def claim(self, wanted: Options, users: int, replies_to_checks: int) -> None:
        """Take the right to start the next run, which must then start at once. Raises StartRefusedError.

        Right after a stop, workers say goodbye and register again; starting in between would start nothing, so this
        waits for them.
        """
        if self.run is not None and not self.is_idle:
            raise StartRefusedError(f"{self.run.trial_id} is running: stop it first")
        if self._next is not None:
            raise StartRefusedError("another run is starting")
        self._next, self._next_replies = wanted, replies_to_checks
        try:
            self._make_room(wanted.trial_id)
            self._wait_for_workers()
            workers = len(self.runner.clients.ready)
            if refusal := combinations.too_few_users(wanted, users, workers):
                raise StartRefusedError(refusal)
            if wanted.idle_holders:
                self._holding.open(wanted, self.workers.alive)
        except BaseException:
            self._next = None
            raise
        self._started.clear()

    def _make_room(self, trial_id: str) -> None:
        try:
            self._files.make_room(trial_id)
        except OSError as error:
            raise StartRefusedError(f"results cannot be written: {error}") from None

    def confirm_started(self, timeout_s: float) -> bool:
        """Whether the claimed run has started; gives the claim back if it has not."""
        started = self._started.wait(timeout_s)
        if not started:
            self.give_back()
        self._next = None
        return bool(started)

    def give_back(self) -> None:
        if self._next is not None and self._next.idle_holders:
            self._holding.let_go(self._next)
        self._next = None

    def _wait_for_workers(self) -> None:
        needed = max(1, len(self.run.workers - self.run.lost) if self.run else 1)
        deadline = time.monotonic() + READY_TIMEOUT_S
        clients = self.runner.clients
        while True:
            ready = len(clients.ready)
            stopping = self._stop_greenlet is not None and not self._stop_greenlet.dead
            timed = self.workers.are_timed()
            if ready >= needed and timed and not stopping and not clients.spawning and not clients.running:
                break
            if time.monotonic() > deadline:
                if not ready:
                    raise StartRefusedError("no worker is ready: docker compose up worker")
                # Whoever asks again has read this and means it: the missing workers are given up.
                if self.run is not None:
                    self.run.lost |= self.run.workers - {client.id for client in clients.ready}
                raise StartRefusedError(f"{ready} of {needed} workers are ready: start again to run with {ready}")
            gevent.sleep(0.01)
        # Locust would give up a missing worker 60 s later and ramp up afresh, in the middle of an unrelated run.
        for client in clients.missing:
            del clients[client.id]

    def _on_test_start(self, **_: Any) -> None:
        """Locust starts a run, whoever asked for it; what is set in parsed options here travels to the workers."""
        parsed_options = self.environment.parsed_options
        wanted = self._next or fields.parse(vars(parsed_options), list(self.targets))
        now = time.time()
        lead_s = (LEAD_S if wanted.open_loop else 0.0) + wanted.preparation_s
        begins_unix = now + lead_s
        opens_unix = begins_unix + wanted.warmup_s
        closes_unix = opens_unix + wanted.window_s if wanted.window_s else None
        host, port = self.targets[wanted.target]
        workers = frozenset(self.workers.alive())
        users, shared = self.runner.target_user_count, tuple(sorted(workers))
        order = RunOrder(uuid4().hex, host, port, begins_unix, opens_unix, closes_unix, shared, users)
        by_hand_id = f"web-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{wanted.target}"
        run = CurrentRun(
            options=wanted,
            trial_id=wanted.trial_id or by_hand_id,
            order=order,
            started_unix=now,
            workers=workers,
            replies_to_checks=self._next_replies if self._next else 0,
        )
        self.workers.live.clear()
        vars(parsed_options).update(wanted.as_dict(), **{RUN: order.to_wire()})
        # The form's hidden field must not become every user's host.
        self.environment.host = None
        self.run = run
        self._started.set()
        gevent.spawn(self._watch, run)
        if run.by_hand:
            gevent.spawn(self._note_serving, run)

    def _note_serving(self, run: CurrentRun) -> None:
        run.serving = self.served_by.now(run.options.target)

    # Watching and stopping

    def _watch(self, run: CurrentRun) -> None:
        """Until the run is over: stop it when it is time, notice workers that come or go, give up on lost ones."""
        stop_after = None
        while not run.over.is_set():
            alive = self.workers.alive()
            run.lost |= run.workers - alive - run.finals.keys()
            if run.lost and not run.trouble:
                run.trouble = f"{len(run.lost)} of {len(run.workers)} workers lost: the run is stopped and not recorded"
            if not run.stopping:
                if alive - run.workers and not run.trouble:
                    run.trouble = "a worker joined during the run, which changes the load: the run is not recorded"
                if run.lost or (run.closes_unix is not None and time.time() > self._stops_unix(run)):
                    self.begin_stop()
            elif stop_after is None:
                stop_after = time.monotonic() + FINALS_TIMEOUT_S
            elif time.monotonic() > stop_after:
                run.lost |= run.workers - run.finals.keys()
                run.trouble = run.trouble or f"{len(run.lost)} workers sent no final report"
            self._finish_if_all_in(run)
            run.over.wait(WATCH_S)

    @staticmethod
    def _stops_unix(run: CurrentRun) -> float:
        assert run.closes_unix is not None
        return run.closes_unix + (STOP_MARGIN_S if run.by_hand else ABANDONED_AFTER_S)

    def begin_stop(self) -> None:
        """Stop the run in the background; harmless when nothing runs."""
        if self._stop_greenlet is None or self._stop_greenlet.dead:
            self._stop_greenlet = gevent.spawn(self._stop)

    def _stop(self) -> None:
        web_ui = self.environment.web_ui
        if web_ui is not None:
            # As Locust's own /stop: a ramp-up under way would go on sending users to workers that have stopped.
            if web_ui._swarm_greenlet is not None:  # noqa: SLF001
                web_ui._swarm_greenlet.kill(block=True)  # noqa: SLF001
                web_ui._swarm_greenlet = None  # noqa: SLF001
            web_ui._cancel_run_time_timer()  # type: ignore[no-untyped-call]  # noqa: SLF001
        # Locust looks once a second whether the users are gone. Here the final reports say so, milliseconds after the
        # stop, and users that are counted as gone already spare the wait.
        for client in self.runner.clients.values():
            client.user_classes_count = {}
        self.runner.stop()

    def _on_test_stopping(self, **_: Any) -> None:
        if self.run is not None:
            self.run.stopping = True

    def stop_and_wait(self) -> CurrentRun | None:
        """Stop the run and wait until its result is written or known to be impossible; None if there never was one."""
        run = self.run
        if run is not None and not run.over.is_set():
            self.begin_stop()
            run.over.wait(FINALS_TIMEOUT_S)
        return run

    # Finals and the result

    def _on_final(self, msg: Any, **_: Any) -> None:
        run = self.run
        if run is None or msg.data["run"] != run.order.id or msg.node_id not in run.workers:
            return
        if not run.stopping:
            run.lost.add(msg.node_id)
            return
        run.finals[msg.node_id] = msg.data["final"]
        # Not here: the message loop must go on reading heartbeats while the file is written.
        gevent.spawn(self._finish_if_all_in, run)

    def _finish_if_all_in(self, run: CurrentRun) -> None:
        if run.finishing or not run.stopping or run.workers - run.finals.keys() - run.lost:
            return
        run.finishing = True
        if not run.trouble:
            try:
                self._files.write(run)
            except OSError as error:
                run.trouble = f"the result cannot be written: {error}"
        if run.trouble:
            logger.error("%s: %s", run.trial_id, run.trouble)
        run.over.set()
