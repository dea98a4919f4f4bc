"""What scaling was worth: from a timeline of seconds to what users waited and what was reserved. Pure.

Over- and under-provisioning are those of BUNGEE (Herbst, Kounev, Weber, Groenda: BUNGEE: An Elasticity Benchmark for
Self-Adaptive IaaS Cloud Environments, SEAMS 2015; `tools.descartes.bungee/metric` of NikolasHerbst/BUNGEE). What is not
known of one second is not known of the sum.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

# 99 % within the objective is out of reach once more than these fail.
MOST_FAILED = 0.01


@dataclass(frozen=True)
class Second:
    """One second of the window. None: not known.

    `offered`, `ok`, `failed`, `missed` (never sent) and `late` (answered, but beyond the objective) are requests;
    `supply` is what there was, in replicas or in CPUs, and `demand` what would have been enough; `reserved_cpus` and
    `used_cpus` are CPUs of all boxes that scale.
    """

    offered: int | None = None
    ok: int | None = None
    failed: int | None = None
    missed: int | None = None
    late: int | None = None
    p99_us: float | None = None
    supply: float | None = None
    demand: float | None = None
    reserved_cpus: float | None = None
    used_cpus: float | None = None


@dataclass(frozen=True)
class Objective:
    """99 % of requests within `p99_us`. It holds again when it has for `for_s` seconds in a row."""

    p99_us: float
    for_s: int = 3


@dataclass(frozen=True)
class Restored:
    """What became of the objective after a step of the load. `after_s`: from the step to the first second of those in
    which it held again; 0 where it was never broken, None where it did not hold again or is not known to."""

    how: Literal["never broken", "restored", "not restored", "unknown"]
    after_s: int | None


@dataclass(frozen=True)
class Provisioning:
    """BUNGEE's four. `accuracy_*`: how much was lacking or too much, in units of the supply, on average over all time;
    `timeshare_*`: the share of time in which it was."""

    accuracy_u: float
    accuracy_o: float
    timeshare_u: float
    timeshare_o: float


@dataclass(frozen=True)
class Assessment:
    """What scaling came to over a window. None: not known."""

    restored: tuple[Restored, ...]
    """For each step of the load."""
    violation_s: int | None
    violation_at_least_s: int
    """Those seconds of which it is known, where the sum is not."""
    unknown_s: int
    late_or_failed: int | None
    """Requests that took longer than the objective, failed, or were never sent."""
    cpu_reserved_s: float | None
    cpu_used_s: float | None
    provisioning: Provisioning | None
    actions: int


def holds(second: Second, objective: Objective) -> bool | None:
    """Whether 99 % of what the second offered was within the objective. None: not known.

    What failed or was never sent took forever, so that more than 1 % of it breaks the objective whatever the others
    took. A second that offered nothing breaks nothing.
    """
    if second.offered == 0:
        return True
    if second.offered is not None:
        lost = (second.failed or 0) + (second.missed or 0)
        if lost > MOST_FAILED * second.offered:
            return False
    if second.p99_us is not None and second.p99_us > objective.p99_us:
        return False
    if second.p99_us is None or second.failed is None or second.missed is None or second.offered is None:
        return None
    return True


def assess(seconds: Sequence[Second], objective: Objective, steps_at: Sequence[int], actions: int) -> Assessment:
    """`seconds`: the whole window, from its first. `steps_at`: the seconds from which the load was another, rising.
    `actions`: how many were done."""
    held = [holds(second, objective) for second in seconds]
    unknown = held.count(None)
    return Assessment(
        restored=tuple(_restored(held[at:end], objective.for_s) for at, end in pairwise([*steps_at, len(seconds)])),
        violation_s=None if unknown else held.count(False),
        violation_at_least_s=held.count(False),
        unknown_s=unknown,
        late_or_failed=_whole(_sum((one.late, one.failed, one.missed)) for one in seconds),
        cpu_reserved_s=_sum(one.reserved_cpus for one in seconds),
        cpu_used_s=_sum(one.used_cpus for one in seconds),
        provisioning=provisioning([one.demand for one in seconds], [one.supply for one in seconds]),
        actions=actions,
    )


def _restored(held: Sequence[bool | None], for_s: int) -> Restored:
    """Of the seconds from a step to the next. A second of which nothing is known leaves open what it hides."""
    broken = next((place for place, one in enumerate(held) if one is False), None)
    if broken is None:
        return Restored("unknown", None) if None in held or not held else Restored("never broken", 0)
    for place in range(broken, len(held) - for_s + 1):
        if all(one is True for one in held[place : place + for_s]):
            return Restored("unknown", None) if None in held[:place] else Restored("restored", place)
    return Restored("unknown", None) if None in held else Restored("not restored", None)


def provisioning(demand: Sequence[float | None], supply: Sequence[float | None]) -> Provisioning | None:
    """Of what was needed and what there was, second by second. None where one of them is not known."""
    lacks: list[float] = []
    for needed, there in zip(demand, supply, strict=True):
        if needed is None or there is None:
            return None
        lacks.append(needed - there)
    if not lacks:
        return None
    return Provisioning(
        accuracy_u=sum(max(lack, 0.0) for lack in lacks) / len(lacks),
        accuracy_o=sum(max(-lack, 0.0) for lack in lacks) / len(lacks),
        timeshare_u=sum(lack > 0 for lack in lacks) / len(lacks),
        timeshare_o=sum(lack < 0 for lack in lacks) / len(lacks),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if found and len(known) == len(found) else None


def _whole(values: Iterable[float | None]) -> int | None:
    total = _sum(values)
    return None if total is None else int(total)


# --- which reading tells first ---


@dataclass(frozen=True)
class Trigger:
    """A reading that is to tell that more is needed: it fires at `threshold` or more for `for_s` seconds in a row."""

    name: str
    threshold: float
    for_s: int = 1


@dataclass(frozen=True)
class Ranked:
    """How a trigger did. `fired`: whether it did on the ramp. `lead_s`: seconds from its firing until the objective
    broke, negative where it fired after; None where it did not fire, or where that is not known. `false_alarms`: how
    often it fired under a load that needs no more, and in which share of the seconds it was on. None: not known."""

    name: str
    fired: bool | None
    fired_at_s: int | None
    lead_s: int | None
    false_alarms: int | None
    false_share: float | None


Series = Sequence[float | None]


def rank_triggers(
    triggers: Sequence[Trigger],
    ramp: Callable[[str], Series],
    ramp_holds: Sequence[bool | None],
    steady: Callable[[str], Series],
) -> list[Ranked]:
    """The triggers, the best first: fewest false alarms, then the longest lead; what is not known comes last.

    `ramp` and `steady`: a trigger's readings, one a second, under a load that rises until the objective breaks, and
    under one that is steady at 70 % of what can be borne. `ramp_holds`: whether the objective held in each second of
    the ramp; the load breaks it for good, and the first second of those in which it no longer held is when.
    """
    broken_at = first_broken(ramp_holds)
    found = [_judged(one, ramp(one.name), broken_at, steady(one.name)) for one in triggers]
    return sorted(found, key=_place)


def first_broken(held: Sequence[bool | None]) -> int | None:
    """The first second in which the objective did not hold; None where it never broke, or where a second before that
    is not known."""
    broken = next((place for place, one in enumerate(held) if one is False), None)
    return None if broken is None or None in held[:broken] else broken


def _judged(trigger: Trigger, ramp: Series, broken_at: int | None, steady: Series) -> Ranked:
    fired_at = next((place for place, one in enumerate(_fires(trigger, ramp)) if one), None)
    # Before a reading that is missing it might have fired already.
    certain = fired_at is not None and None not in ramp[:fired_at]
    lead = broken_at - fired_at if certain and broken_at is not None and fired_at is not None else None
    alarms = _fires(trigger, steady)
    known = bool(steady) and None not in steady
    return Ranked(
        name=trigger.name,
        fired=True if fired_at is not None else None if None in ramp or not ramp else False,
        fired_at_s=fired_at if certain else None,
        lead_s=lead,
        false_alarms=sum(on and not before for before, on in zip([False, *alarms], alarms, strict=False))
        if known
        else None,
        false_share=sum(alarms) / len(alarms) if known else None,
    )


def _fires(trigger: Trigger, readings: Series) -> list[bool]:
    """Whether it is on in each second. It fires in the second in which it has been reached for long enough."""
    on: list[bool] = []
    reached = 0
    for reading in readings:
        reached = reached + 1 if reading is not None and reading >= trigger.threshold else 0
        on.append(reached >= trigger.for_s)
    return on


def _place(one: Ranked) -> tuple[bool, float, bool, int]:
    false = one.false_share
    return false is None, false or 0.0, one.lead_s is None, -(one.lead_s or 0)
