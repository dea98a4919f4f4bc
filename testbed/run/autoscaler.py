"""The scaler of a stack that was started by hand: reads replicas, asks the law what is to be, does it and says why."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from testbed.errors import UserError
from testbed.plan.scaling import Law
from testbed.scaling import forecast, policy
from testbed.scaling.policy import Readings, State
from testbed.stack.replicas_by_hand import Counted, Replica


class Stack(Protocol):
    """What it reads and changes. UserError where a change is refused."""

    def replicas(self) -> list[Replica]:
        """Those that run, the first first."""

    def counted(self, replica: Replica) -> Counted | None:
        """What it has used so far; None where it has ended."""

    def waiting(self, replicas: Sequence[Replica]) -> float | None:
        """How many connections wait, before them and in them. None: not known."""

    def grow(self, count: int) -> str:
        """Have so many, which is more than there are. What came of it, in words; likewise of the others."""

    def take_out(self, replica: Replica) -> str:
        """Have it drain, and gone."""

    def set_cpus(self, replica: Replica, cpus: float) -> None:
        """Its limit from now on."""


@dataclass
class Use:
    """What the replicas use from one look to the next."""

    stack: Stack
    _before: dict[str, Counted] = field(default_factory=dict)

    def look(self, law: Law, replicas: Sequence[Replica]) -> tuple[tuple[policy.Replica, ...], float | None]:
        """Each replica's share of its limit since the last look; and the CPUs that all used together, None where one of
        them is not known."""
        now = {one.id: found for one in replicas if (found := self.stack.counted(one)) is not None}
        cpus = {one.id: _cpus(self._before.get(one.id), now.get(one.id)) for one in replicas}
        self._before = now
        shares = tuple(
            policy.Replica(one.name, _share(law, one, cpus[one.id], now.get(one.id)), _is_ready(one, cpus[one.id]))
            for one in replicas
        )
        known = [used for used in cpus.values() if used is not None]
        return shares, sum(known) if known and len(known) == len(cpus) else None


def _cpus(before: Counted | None, now: Counted | None) -> float | None:
    if before is None or now is None or now.at_s <= before.at_s or now.cpu_s < before.cpu_s:
        return None
    return (now.cpu_s - before.cpu_s) / (now.at_s - before.at_s)


def _share(law: Law, replica: Replica, cpus: float | None, now: Counted | None) -> float | None:
    if law.on == "memory":
        return None if now is None or not replica.memory_bytes else now.memory_bytes / replica.memory_bytes
    return None if cpus is None or not replica.cpus else cpus / replica.cpus


def _is_ready(replica: Replica, cpus: float | None) -> bool:
    return replica.is_healthy and cpus is not None


class Autoscaler:
    """Looks every `law.every_us`, counted anew from the end of a change: what was used while something was changed says
    nothing of what there is now."""

    def __init__(
        self,
        law: Law,
        stack: Stack,
        say: Callable[[str], None],
        verbose: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`verbose`: a line also for a decision that changes nothing."""
        self._law, self._stack, self._say, self._verbose, self._clock = law, stack, say, verbose, clock
        self._began = clock()
        self._use = Use(stack)
        self._wishes: tuple[policy.Wish, ...] = ()
        # One every `law.every_us`: of what a forecast looks at, and some more.
        kept = 3 * forecast.needed(law.forecast, law.every_us / 1e6) if law.forecast else 0
        self._loads: deque[float | None] = deque(maxlen=kept)
        self._loaded_s = 0.0

    def begin(self) -> None:
        """Take the counts that the first decision is made from."""
        self._use.look(self._law, self._stack.replicas())

    def run(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Until no replica runs any more."""
        self.begin()
        every_s = self._law.every_us / 1e6
        due = self._clock() + every_s
        while True:
            wait(max(0.0, due - self._clock()))
            changed = self.look()
            if changed is None:
                return
            late = self._clock() > due + every_s
            due = self._clock() + every_s if changed or late else due + every_s

    def look(self) -> bool | None:
        """Decide, and do it. Whether there was something to do; None where there is nothing left to decide about."""
        replicas = self._stack.replicas()
        if not replicas:
            self._say("none runs any more")
            return None
        law, now_s = self._law, self._clock() - self._began
        shares, load = self._use.look(law, replicas)
        whole = self._stack.waiting(replicas) if law.on == "queue" else None
        growth = self._growth(law, load, now_s)
        state = State(_amount(law, replicas), self._wishes)
        decision = policy.policy(law, Readings(now_s, shares, whole), state, growth)
        self._wishes = decision.state.wishes
        if not decision.changes:
            if self._verbose:
                self._say(f"{now_s:.1f} s: {_words(law, state.now)}: {decision.reason}")
            return False
        self._say(f"{now_s:.1f} s: {state.now:g} -> {_words(law, decision.amount)}: {decision.reason}")
        try:
            self._carry_out(replicas, decision.amount)
        except UserError as error:
            self._say(f"  not done: {error}")
        self._use.look(law, self._stack.replicas())
        return True

    def _growth(self, law: Law, load: float | None, now_s: float) -> policy.Growth | None:
        if law.forecast is None:
            return None
        every_s = law.every_us / 1e6
        # While something was changed nothing was read.
        missed = round((now_s - self._loaded_s) / every_s) - 1
        self._loads.extend([None] * missed)
        self._loads.append(load)
        self._loaded_s = now_s
        return forecast.growth(law.forecast, list(self._loads), every_s)

    def _carry_out(self, replicas: Sequence[Replica], amount: float) -> None:
        if self._law.change == "cpus":
            for one in replicas:
                self._stack.set_cpus(one, amount)
            return
        if amount > len(replicas):
            self._say(f"  {self._stack.grow(int(amount))}")
            return
        # The last that came goes first.
        for one in list(reversed(replicas))[: len(replicas) - int(amount)]:
            self._say(f"  {one.name} {self._stack.take_out(one)}")


def _amount(law: Law, replicas: Sequence[Replica]) -> float:
    """What there is: one may have died, or been changed by hand. Of limits that differ, the largest."""
    if law.change == "replicas":
        return float(len(replicas))
    return max(one.cpus or 0.0 for one in replicas)


def _words(law: Law, amount: float) -> str:
    if law.change == "cpus":
        return f"{amount:g} CPU{'' if amount == 1 else 's'} each"
    return f"{amount:g} replica{'' if amount == 1 else 's'}"
