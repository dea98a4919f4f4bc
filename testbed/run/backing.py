"""What stands behind the servers in the course of a trial: ready before them, counted at the window's edges, and the
messages that went through it accounted for."""

from functools import partial
from pathlib import Path

from testbed.parts import behind
from testbed.parts.deliveries import Deliveries
from testbed.parts.part_counts import PartCounts
from testbed.parts.standing import Standing
from testbed.plan.behind import Behind
from testbed.plan.trials import Trial
from testbed.run.boxes import Boxes, TrialFailed
from testbed.run.kill import Kill, Watcher
from testbed.run.messages import Messages
from testbed.stack.engine import Engine
from testbed.stack.secret import password


class Backing:
    """Of one trial that has something behind its servers, once its containers were started."""

    def __init__(self, stands: Behind, trial: Trial, boxes: Boxes, engine: Engine, run_id: str) -> None:
        self._stands = stands
        self._boxes = boxes
        self._trial_id = trial.trial_id
        self._standing = Standing.of(stands, partial(engine.published, run_id), password())
        self._messages: Messages | None = None
        self._opened: dict[str, PartCounts] = {}

    @classmethod
    def of(cls, trial: Trial, boxes: Boxes, engine: Engine, run_id: str) -> "Backing | None":
        """None where nothing stands behind its servers."""
        stands = trial.cell.what_is_behind
        return None if stands is None else cls(stands, trial, boxes, engine, run_id)

    def wait_until_ready(self) -> None:
        """TrialFailed, BoxEnded where it does not come to that."""
        look = partial(self._boxes.fail_if_ended, "before it was ready")
        lacking = self._standing.wait_until_ready(look)
        if not lacking and (consumers := behind.consumers(self._stands.part)):
            lacking = self._standing.wait_for_consumers(len(consumers), look)
        if lacking:
            raise TrialFailed(lacking)

    def window_opens(self) -> None:
        """Its counts are read."""
        self._opened = self._standing.read()

    def window_closed(self) -> dict[str, tuple[PartCounts, PartCounts]]:
        """By part, its counts when the window opened and now."""
        closed = self._standing.read()
        self._standing.close()
        return {name: (self._opened[name], now) for name, now in closed.items()}

    def watcher(self, opened_at: float, beside: Watcher | None) -> Watcher | None:
        """What acts while the window is open which opened at this moment of time.monotonic()."""
        if not self._stands.kill_us:
            return beside
        first = behind.consumers(self._stands.part)[0]
        return Kill(opened_at + self._stands.kill_us / 1e6, partial(self._boxes.kill, first), beside)

    def wait_until_taken(self, directory: Path) -> None:
        """Until consumers have done what there is for them. `directory`: where they note it."""
        self._messages = Messages.of(self._stands, self._trial_id, self._standing, directory)
        if self._messages is not None:
            self._messages.wait_until_taken()

    def account(self) -> Deliveries | None:
        """What became of every message, once servers and consumers have ended; None where none is sent."""
        reports = [seen.report for seen in self._boxes.seen.values() if seen.role == "server"]
        return None if self._messages is None else self._messages.account(reports)
