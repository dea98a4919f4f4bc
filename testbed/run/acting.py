"""Carrying out what is decided while the load is on: limits set anew, replicas started and taken out; and a record."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from testbed.errors import UserError
from testbed.run.boxes import Boxes
from testbed.run.fleet import Fleet

What = Literal["cpus", "memory", "replicas"]

SetLimits = Callable[[str, float | None, int | None], None]
"""Of a container by its id: CPUs, memory in bytes; None leaves it as it is. UserError where the engine refuses."""


@dataclass(frozen=True)
class Wanted:
    """What is to be: CPUs of each replica, bytes of memory of each, or how many replicas."""

    what: What
    to: float
    reason: str


@dataclass
class Action:
    """What was done about it. Times are seconds since the window opened."""

    at_s: float
    what: str
    """As of Wanted; of a fault, the server it is of."""
    was: float | str
    to: float | str
    reason: str
    took_s: float | None = None
    """Until it was in force; None where it has not come to that."""
    done: bool = False
    said: list[str] = field(default_factory=list)
    """What came of it, and what did not."""


@dataclass(frozen=True)
class Provision:
    """What there was, from a moment on."""

    at_s: float
    serving: int
    running: int
    """Replicas that have a container, those that join and leave among them."""
    cpus: float
    """Reserved by all that run."""


class Actor:
    """Brings a trial's servers to what is wanted, and keeps what was done, and what there was at any time."""

    def __init__(self, boxes: Boxes, fleet: Fleet, set_limits: SetLimits, clock: Callable[[], float]) -> None:
        """`clock`: seconds since the window opened."""
        self._boxes, self._fleet, self._set_limits, self._clock = boxes, fleet, set_limits, clock
        limits = boxes.seen[boxes.servers[0]].limits
        self.cpus, self.memory_bytes = limits.usable_cpus or 0.0, limits.memory_bytes or 0
        """Of each replica, as they are now."""
        self.actions: list[Action] = []
        self.provision: list[Provision] = []
        self._note_provision()

    @property
    def running(self) -> list[str]:
        """Every replica that has a container now."""
        return [*self._fleet.serving, *self._fleet.joining, *self._fleet.leaving]

    @property
    def is_busy(self) -> bool:
        """Whether something has begun that is not over."""
        return bool(self._fleet.joining or self._fleet.leaving)

    def now(self, what: What) -> float:
        """What there is, or is to be once all that was begun is done."""
        return {"cpus": self.cpus, "memory": self.memory_bytes, "replicas": self._fleet.meant}[what]

    def carry_out(self, wanted: Wanted) -> None:
        """Begin with it, or do it where that is a matter of moments. What fails is in the record, and nothing more."""
        action = Action(round(self._clock(), 3), wanted.what, self.now(wanted.what), wanted.to, wanted.reason)
        self.actions.append(action)
        if wanted.what == "replicas":
            more = int(wanted.to) - self._fleet.meant
            action.said += self._fleet.grow(more) if more > 0 else self._fleet.shrink(-more)
            self._settle()
        else:
            self._limit(wanted, action)
        self._note_provision()

    def _limit(self, wanted: Wanted, action: Action) -> None:
        cpus = wanted.to if wanted.what == "cpus" else None
        memory = int(wanted.to) if wanted.what == "memory" else None
        for name in self.running:
            try:
                self._set_limits(self._boxes.running(name).id, cpus, memory)
            except UserError as error:
                action.said.append(f"{name}: {error}")
                return
            self._boxes.limited(name, cpus, memory)
        self.cpus, self.memory_bytes = cpus or self.cpus, memory or self.memory_bytes
        self._done(action)

    def _done(self, action: Action) -> None:
        action.done, action.took_s = True, round(self._clock() - action.at_s, 3)

    def look(self) -> None:
        """Bring further what has begun."""
        lost = self._fleet.lost()
        changes = self._fleet.look()
        if not lost and not changes:
            return
        if self.actions:
            self.actions[-1].said += [*(self._boxes.seen[name].ended for name in lost), *changes]
        self._settle()
        self._note_provision()

    def _settle(self) -> None:
        """Whether there are as many as the last action wanted, if it is of replicas."""
        last = self.actions[-1] if self.actions else None
        if last is None or last.what != "replicas" or last.done:
            return
        if len(self._fleet.serving) == last.to and not self._fleet.joining and not self._fleet.leaving:
            self._done(last)

    def _note_provision(self) -> None:
        running = len(self.running)
        now = Provision(round(self._clock(), 3), len(self._fleet.serving), running, round(self.cpus * running, 6))
        if not self.provision or replace(self.provision[-1], at_s=now.at_s) != now:
            self.provision.append(now)


def clock_since(moment: float) -> Callable[[], float]:
    """Seconds since a moment of time.monotonic(), negative before it."""
    return lambda: time.monotonic() - moment
