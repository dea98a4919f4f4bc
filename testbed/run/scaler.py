"""The scaler of a trial: reads it while its load is on, asks law or plan what is to be, and has that carried out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from testbed.plan.scaling import Law, Planned, Scaling
from testbed.run.acting import Actor, Wanted
from testbed.run.boxes import Boxes
from testbed.run.fleet import Fleet
from testbed.run.sensors import Series, Use
from testbed.scaling import forecast
from testbed.scaling.policy import Readings, Replica, State, due, policy
from testbed.stack.locust_api import Load, LoadError, Responses

# While something has begun that is not over, such as a replica that starts, it is looked after as often as this.
BUSY_INTERVAL_S = 0.1


@dataclass
class Sensors:
    """What a law can read of a trial: its replicas by their probes, what waits, and what clients see."""

    boxes: Boxes
    fleet: Fleet
    load: Load
    waiting_in_front: Callable[[], int | None] | None
    """How many wait in the front, which has a queue of its own; None where there is no such front."""
    series_of: Callable[[str], Series]
    """The lines of a replica's probe."""
    _series: dict[str, Series] = field(default_factory=dict)
    _before: Responses | None = None

    def uses(self, seconds: float) -> dict[str, Use | None]:
        """Of each replica that is meant to stay, over the last seconds."""
        found = {}
        for name in (*self.fleet.serving, *self.fleet.joining):
            series = self._series.setdefault(name, self.series_of(name))
            series.look()
            found[name] = series.use(seconds, self.boxes.seen[name].limits)
        return found

    def readings(self, law: Law, at_s: float, uses: Mapping[str, Use | None], seen: "Seen") -> Readings:
        """What this law asks for."""
        replicas = tuple(
            Replica(name, _share(law, use), ready=name in self.fleet.serving and use is not None)
            for name, use in uses.items()
        )
        whole = {"queue": self._waiting(uses), "errors": seen.failed_share, "latency": seen.p99_us}.get(law.on)
        return Readings(at_s, replicas, whole)

    def _waiting(self, uses: Mapping[str, Use | None]) -> float | None:
        """In the front, and in the accept queues of the replicas that serve; None with one of them not known."""
        counts = [use.accept_queue if use else None for name, use in uses.items() if name in self.fleet.serving]
        if self.waiting_in_front is not None:
            counts.append(self.waiting_in_front())
        known = [count for count in counts if count is not None]
        return float(sum(known)) if len(known) == len(counts) else None

    def seen(self) -> "Seen":
        """What clients have seen since the last call; nothing is known at the first."""
        try:
            now = self.load.responses()
        except LoadError:
            return Seen()
        before, self._before = self._before, now
        return Seen() if before is None else seen_between(before, now)


def _share(law: Law, use: Use | None) -> float | None:
    if use is None:
        return None
    return use.memory_share if law.on == "memory" else use.cpu_share


@dataclass(frozen=True)
class Seen:
    """What clients have seen over some time. None: not known."""

    ended: int | None = None
    """Requests, right or wrong."""
    failed_share: float | None = None
    p99_us: float | None = None


def seen_between(before: Responses, now: Responses) -> Seen:
    """From what was counted at two moments."""
    ok, failed = now.requests - now.failures - before.requests + before.failures, now.failures - before.failures
    times = {ms: count - before.times_ms.get(ms, 0) for ms, count in now.times_ms.items()}
    return Seen(ok + failed, failed / (ok + failed) if ok + failed else None, _p99_us(times))


def _p99_us(times_ms: Mapping[float, int]) -> float | None:
    total = sum(times_ms.values())
    seen = 0
    for ms, count in sorted(times_ms.items()):
        seen += count
        if total and seen >= math.ceil(0.99 * total):
            return ms * 1000
    return None


class Scaler:
    """Of one trial, whose window is open."""

    def __init__(self, scaling: Scaling, actor: Actor, sensors: Sensors, clock: Callable[[], float]) -> None:
        """`clock`: seconds since the window opened."""
        self._scaling, self._actor, self._sensors, self._clock = scaling, actor, sensors, clock
        self._looked_at = -1.0
        self._decides_at = 0.0
        self._state = State(actor.now(scaling.change))
        self._loads: list[float | None] = []

    def look(self) -> float:
        """Do what is due. After how many seconds at most it wants to be called again."""
        self._actor.look()
        now = self._clock()
        if isinstance(self._scaling, Planned):
            self._follow(self._scaling, now)
            # Steps come when they are due, not half a second later.
            coming = [step.at_us / 1e6 - now for step in self._scaling.steps if step.at_us / 1e6 > now]
            wait_s = min(coming, default=math.inf)
        else:
            wait_s = self._decide(self._scaling, now)
        return BUSY_INTERVAL_S if self._actor.is_busy else wait_s

    def _follow(self, planned: Planned, now: float) -> None:
        step = due(planned, self._looked_at, now)
        self._looked_at = now
        if step is not None:
            self._actor.carry_out(Wanted(planned.change, step.to, f"as planned for {step.at_us / 1e6:g} s"))

    def _decide(self, law: Law, now: float) -> float:
        every_s = law.every_us / 1e6
        if now >= self._decides_at:
            # As often as asked for, however long a decision takes.
            self._decides_at = (math.floor(now / every_s) + 1) * every_s
            seen = self._sensors.seen()
            self._loads.append(None if seen.ended is None else seen.ended / every_s)
            readings = self._sensors.readings(law, now, self._sensors.uses(every_s), seen)
            growth = forecast.growth(law.forecast, self._loads, every_s) if law.forecast else None
            # What there is, and not what an earlier decision meant there to be: one may have failed or died.
            state = State(self._actor.now(law.change), self._state.wishes)
            decision = policy(law, readings, state, growth)
            self._state = decision.state
            if decision.changes:
                self._actor.carry_out(Wanted(law.change, decision.amount, decision.reason))
        return self._decides_at - now
