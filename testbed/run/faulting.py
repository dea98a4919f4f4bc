"""What goes wrong on purpose with a replica while the load is on: it is done at its time, undone, and written down."""

import math
from collections.abc import Callable
from typing import Protocol

from testbed.errors import UserError
from testbed.plan.fault import Fault
from testbed.plan.scaling import duration
from testbed.run.acting import Action
from testbed.run.boxes import Boxes
from testbed.run.kill import Watcher

_AS_USUAL = "as usual"


class Crashes(Protocol):
    """Asks a server for a fault of its own."""

    def crash(self, name: str, how: str) -> str:
        """Empty when its connection ended, else what came of it."""


class Misleads(Protocol):
    """A sidecar that can be told to do wrong. An OSError, one line, where it does not answer."""

    def fail(self, share: float) -> None:
        """Answers so large a share of requests with 503 from now on; 0: none."""

    def delay(self, by_us: int, share: float) -> None:
        """Lets so large a share of requests wait so long; 0: none."""


class Faulting:
    """Of one trial whose window is open, beside whatever else acts."""

    def __init__(
        self,
        fault: Fault,
        name: str,
        boxes: Boxes,
        crashes: Crashes,
        sidecar: Misleads | None,
        clock: Callable[[], float],
        beside: Watcher | None = None,
    ) -> None:
        """`name`: of the server's service. `clock`: seconds since the window opened."""
        self._fault, self._name, self._boxes = fault, name, boxes
        self._crashes, self._sidecar = crashes, sidecar
        self._clock, self._beside = clock, beside
        self._begins_at = fault.at_us / 1e6
        self._ends_at = fault.ends_us / 1e6 or math.inf
        self._is_on = False
        self.actions: list[Action] = []

    def look(self) -> float:
        """As of Watcher."""
        now = self._clock()
        if now >= self._ends_at:
            self.end(f"as planned for {duration(self._fault.ends_us)}")
        elif now >= self._begins_at:
            self._begin()
        wanted_s = math.inf if self._beside is None else self._beside.look()
        return min(wanted_s, min(self._begins_at, self._ends_at) - self._clock())

    def _begin(self) -> None:
        fault = self._fault
        planned = duration(round(self._begins_at * 1e6))
        # Again where that is asked for, whatever this one takes.
        self._begins_at += fault.every_us / 1e6 if fault.every_us else math.inf
        to = f"crashed ({fault.how})" if fault.kind == "crashed" else fault.kind
        if fault.kind != "crashed":
            self._is_on = True
        self._act(_AS_USUAL, to, f"as planned for {planned}", self._do)

    def end(self, reason: str = "the window has closed") -> None:
        """Put it right again, where it is not: what stands still could not be stopped in order."""
        self._begins_at = self._ends_at = math.inf
        if self._is_on:
            self._is_on = False
            self._act(self._fault.kind, _AS_USUAL, reason, self._undo)

    @property
    def lacking(self) -> str:
        """What did not come of the fault that was asked for, in words; empty where it came."""
        said = [line for action in self.actions if action.was == _AS_USUAL for line in action.said]
        if not self.actions:
            return "the trial ended before it"
        return said[0] if said else ""

    def _act(self, was: str, to: str, reason: str, does: Callable[[], str]) -> None:
        action = Action(round(self._clock(), 3), self._name, was, to, reason)
        self.actions.append(action)
        try:
            said = does()
        except (OSError, UserError) as error:
            said = str(error)
        action.took_s = round(self._clock() - action.at_s, 3)
        action.done = not said
        action.said += [said] if said else []

    def _do(self) -> str:
        """What did not come of it."""
        fault = self._fault
        match fault.kind:
            case "stopped":
                self._boxes.freeze(self._name)
            case "crashed":
                self._boxes.seen[self._name].crashes.append(fault.how)
                return self._crashes.crash(self._name, fault.how)
            case "failing":
                self._told().fail(fault.share)
            case "slow":
                self._told().delay(fault.by_us, fault.share)
        return ""

    def _undo(self) -> str:
        match self._fault.kind:
            case "stopped":
                self._boxes.thaw(self._name)
            case "failing":
                self._told().fail(0.0)
            case "slow":
                self._told().delay(0, 0.0)
        return ""

    def _told(self) -> Misleads:
        if self._sidecar is None:
            raise OSError(f"{self._name} has no sidecar")
        return self._sidecar
