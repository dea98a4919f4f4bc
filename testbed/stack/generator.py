"""The load generator of a run: Locust's master and workers, up across all its trials."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from servers.models import SERVERS
from testbed.errors import Breakdown, UserError, attempt, describe
from testbed.files import write_atomically
from testbed.stack import system
from testbed.stack.conntrack import Tracking
from testbed.stack.engine import ContainerGone, Engine
from testbed.stack.locust_api import Load
from testbed.stack.naming import WEB_PORT
from testbed.stack.run import Run

WORKERS_TIMEOUT_S = 60.0
# After a trial has failed: how long its workers may take to register again before they are given up.
MEND_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.1


class LoadStack:
    """Starts Locust, knows whether it is complete, and starts it afresh when it is not."""

    def __init__(self, engine: Engine, run: Run, directory: Path, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._run = run
        self._stack = system.load_stack(run, SERVERS)
        self._directory = directory
        self._say = say
        self.load = Load("")

    def start(self) -> None:
        """Bring Locust up and wait for all its workers. Breakdown when they do not come."""
        laid = self._engine.lay_out(self._stack, self._directory, self._directory / "load")
        self._say("starting Locust ...")
        tracking = Tracking() if self._engine.is_here else None
        self._engine.up(laid, [service.name for service in self._stack.services])
        with suppress(ContainerGone):
            page = self._stack.publisher(WEB_PORT).name
            host, port = self._engine.published(self._run.run_id, page, WEB_PORT)
            self.load = Load(f"http://{host}:{port}")
            if _wait_for(self._settled, WORKERS_TIMEOUT_S) and self._complete():
                self._say(
                    f"Locust is up, {self._run.workers} worker(s); its page during the sweep: {self.load.base_url}"
                )
                return
        ended = self._engine.ended(self._run.run_id)
        found = f"{', '.join(ended)} ended" if ended else f"not all workers connected within {WORKERS_TIMEOUT_S:g} s"
        if tracking is not None and (dropped := tracking.dropped()):
            found += f"; the kernel's table of {tracking.limit} tracked connections is full, {dropped} packets dropped"
        raise Breakdown(f"Locust did not come up: {found}; logs are in {self._directory}/logs")

    def mend(self) -> None:
        """After a failed trial a worker may be missing: start the generator afresh rather than measure with less.

        One whose container has ended is not waited for. Breakdown when that fails.
        """
        if _wait_for(self._settled, MEND_TIMEOUT_S) and self._complete():
            return
        self._say("Locust is not complete any more: starting it afresh")
        for error in attempt(self.keep_logs):
            self._say(f"warning: Locust's logs are not saved: {describe(error)}")
        self._engine.remove(self._run.run_id)
        try:
            self.start()
        except UserError as error:
            # It came up before, from the same file.
            raise Breakdown(f"Locust did not come up again: {error}") from error

    def keep_logs(self) -> None:
        """Save the logs of the run's containers."""
        directory = self._directory / "logs"
        directory.mkdir(exist_ok=True)
        for name, text in self._engine.logs(self._run.run_id).items():
            write_atomically(directory / f"{name}.log", text)

    def _complete(self) -> bool:
        return self.load.workers() == self._run.workers

    def _settled(self) -> bool:
        """Up, or never going to be."""
        return self._complete() or bool(self._engine.ended(self._run.run_id))


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL_S)
    return True
