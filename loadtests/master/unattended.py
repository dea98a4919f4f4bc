"""A run that nobody starts or stops: Locust's own `--headless`, or `--autostart` with the page.

Locust would send its users as soon as its workers are there. Here the target is waited for and its unit of work found
first, as for a run from the page, and the end is when the result is written. The exit code says whether it was.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests import combinations, fields
from loadtests.field import OptionError
from loadtests.fields import MOST_USERS
from loadtests.master import calibrate, reach
from loadtests.master.calibrate import NotCalibratedError
from loadtests.master.control import STOP_MARGIN_S, Control, StartRefusedError
from loadtests.master.current import CurrentRun
from loadtests.options import Options

logger = logging.getLogger(__name__)

TARGET_TIMEOUT_S = 120.0
"""A container that has to be fetched first may take as long to start."""
INTERVAL_S = 0.2
START_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    wanted: Options
    users: int
    spawn_rate: float
    workers: int
    workers_within_s: float | None
    """None: however long it takes."""
    stays_s: float | None
    """So long it is still there once the run is over; None: until it is stopped."""


def order(parsed: argparse.Namespace, targets: list[str]) -> Order | None:
    """None where a person starts the runs. Raises OptionError for what cannot be run without one."""
    if not (parsed.headless or parsed.autostart):
        return None
    if parsed.run_time:
        raise OptionError("--run-time: none here; --warmup-s and --window-s say how long a run is")
    wanted = fields.parse(vars(parsed), targets, targets[0])
    calibrate.check(wanted)
    if not wanted.window_s:
        raise OptionError("--window-s: above 0 where nobody stops the run, not 0")
    users = parsed.num_users
    if not 1 <= users <= MOST_USERS:
        raise OptionError(f"--users: a whole number from 1 to {MOST_USERS}, not {users}")
    if refusal := combinations.too_few_users(wanted, users, parsed.expect_workers):
        raise OptionError(refusal)
    return Order(
        wanted,
        users,
        parsed.spawn_rate,
        parsed.expect_workers,
        parsed.expect_workers_max_wait or None,
        0.0 if parsed.headless else parsed.autoquit if parsed.autoquit >= 0 else None,
    )


def take_over(parsed: argparse.Namespace) -> None:
    """Keep Locust from starting the run by itself."""
    parsed.headless = parsed.autostart = False


class Unattended:
    def __init__(self, environment: Environment, runner: MasterRunner, control: Control, asked: Order) -> None:
        self._environment = environment
        self._runner = runner
        self._control = control
        self._asked = asked

    def live(self) -> None:
        """The whole of it, in a greenlet of its own: start, wait, say how it went, and end the process."""
        try:
            trouble = self._until_over(self._start())
        except (OptionError, StartRefusedError, NotCalibratedError) as refusal:
            trouble = str(refusal)
        if trouble:
            logger.error("not recorded: %s", trouble)
        self._environment.process_exit_code = 1 if trouble else 0
        if self._asked.stays_s is None and not trouble:
            return
        gevent.sleep(0 if trouble else self._asked.stays_s)
        self._runner.quit()
        if self._environment.web_ui is not None:
            self._environment.web_ui.stop()  # type: ignore[no-untyped-call]

    def _start(self) -> CurrentRun:
        """Raises OptionError, StartRefusedError, NotCalibratedError."""
        asked, wanted = self._asked, self._asked.wanted
        self._wait(self._workers_left, asked.workers_within_s)
        self._wait(self._why_no_echo, TARGET_TIMEOUT_S)
        wanted, echoes = calibrate.in_units(wanted, *self._control.targets[wanted.target])
        # The last look has made the server answer one request.
        self._control.claim(wanted, asked.users, replies_to_checks=1 + echoes)
        gevent.spawn(self._runner.start, asked.users, asked.spawn_rate)
        if not self._control.confirm_started(START_TIMEOUT_S) or self._control.run is None:
            raise StartRefusedError("the run did not start")
        return self._control.run

    def _until_over(self, run: CurrentRun) -> str:
        """Why there is no result; empty where it is written."""
        assert run.closes_unix is not None
        run.over.wait(max(0.0, run.closes_unix + STOP_MARGIN_S - time.time()))
        self._control.stop_and_wait()
        return run.trouble or ("" if run.file else "the run did not end")

    def _workers_left(self) -> str:
        ready, wanted = len(self._runner.clients.ready), self._asked.workers
        return "" if ready >= wanted else f"{ready} of {wanted} workers have come"

    def _why_no_echo(self) -> str:
        target = self._asked.wanted.target
        host, port = self._control.targets[target]
        wanted = self._asked.wanted
        tried = reach.try_echo(target, host, port, wanted.protocol, key=wanted.api_key)
        return tried.error if tried.connected else f"{target} cannot be reached at {host}:{port}"

    @staticmethod
    def _wait(lacking: Callable[[], str], timeout_s: float | None) -> None:
        """Until nothing is lacking any more. Raises StartRefusedError."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        told = ""
        while said := lacking():
            if said != told:
                logger.info("waiting: %s", said)
                told = said
            if deadline is not None and time.monotonic() > deadline:
                raise StartRefusedError(f"after {timeout_s:g} s {said}")
            gevent.sleep(INTERVAL_S)
