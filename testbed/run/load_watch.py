"""What is looked after while a trial's load is on: the load itself, what it loads, and the kernel between them."""

import time

from testbed.run.boxes import Boxes, TrialFailed
from testbed.run.kill import Watcher
from testbed.stack.conntrack import Tracking
from testbed.stack.engine import Engine
from testbed.stack.locust_api import Load, Status

# How long Locust may take to tell the window of a run that it has accepted, and how often it is asked.
BEGIN_TIMEOUT_S = 30.0
BEGIN_INTERVAL_S = 0.05
# How often server and workers are looked after while load runs; each look costs the machine a few milliseconds.
WATCH_INTERVAL_S = 0.5


class LoadWatch:
    """Of one trial whose load was started."""

    def __init__(self, load: Load, boxes: Boxes, engine: Engine, tracking: Tracking | None) -> None:
        """`tracking`: None where the kernel's table is another machine's."""
        self._load, self._boxes, self._engine, self._tracking = load, boxes, engine, tracking

    def window_edges(self) -> tuple[float, float]:
        """In how many seconds the window opens and closes. TrialFailed where the run does not begin."""
        deadline = time.monotonic() + BEGIN_TIMEOUT_S
        while time.monotonic() < deadline:
            status = self._load.status()
            if status.window_opens_in_s is not None and status.window_closes_in_s is not None:
                return status.window_opens_in_s, status.window_closes_in_s
            time.sleep(BEGIN_INTERVAL_S)
        raise TrialFailed("Locust accepted the run but did not begin it")

    def status(self) -> Status:
        """TrialFailed where a worker is lost."""
        status = self._load.status()
        if status.workers < status.workers_expected:
            trouble = self._engine.trouble(status.workers_lost)
            why = f"; {trouble}" if trouble else ""
            raise TrialFailed(f"worker lost: {status.workers} of {status.workers_expected} left{why}")
        return status

    def until(self, moment: float, when: str, watcher: Watcher | None = None) -> None:
        """Look after all of it until this moment of time.monotonic(), and let `watcher` act. TrialFailed, BoxEnded."""
        while (left := moment - time.monotonic()) > 0:
            # Close to the edge a look could make the next step late.
            if left > WATCH_INTERVAL_S / 2:
                self._boxes.note_ended(when)
                self.status()
                if self._tracking is not None:
                    self._tracking.look()
            wanted_s = WATCH_INTERVAL_S if watcher is None else min(WATCH_INTERVAL_S, max(0.0, watcher.look()))
            time.sleep(max(0.0, min(wanted_s, moment - time.monotonic())))
