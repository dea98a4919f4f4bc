"""The law of Kubernetes' horizontal autoscaler: from readings and what there is to how much there should be. Pure.

Sources: kubernetes `pkg/controller/podautoscaler/replica_calculator.go` (how many) and `horizontal.go` (stabilisation).
Two things are left out of it: it truncates shares to whole percents, which moves no decision by more than that, and by
default it bounds growth to the larger of 4 replicas and 100 % in 15 s, which is no bound between 1 and 4 replicas.

A share of a limit stops at 1: with a target of 0.6 the law asks for at most 1.67 times what there is, however much load
there is beyond. How many wait has no such ceiling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from testbed.plan.scaling import Law, Planned, Step

# Below this a difference is one of floating point: 1.1 is within a tolerance of 0.1, 5.000000000000001 replicas are 5.
_ROUNDING = 1e-9
# A quota is set in steps of a hundredth of a CPU, which is the least that the kernel enforces: 1 ms in 100 ms.
_CPUS_STEP = 0.01


@dataclass(frozen=True)
class Replica:
    """One replica that runs and is meant to stay. Those that have ended or are on their way out are not given.

    `share`: of its CPU or memory limit, 0 to 1; None where it could not be read. `ready`: whether it serves, and has
    for as long as the reading spans.
    """

    name: str
    share: float | None = None
    ready: bool = True


@dataclass(frozen=True)
class Readings:
    """What was read at a moment, in seconds of any clock. `whole` is what concerns all replicas together: how many
    wait, the share of requests that fail, or the p99 in microseconds. None: not known."""

    at_s: float
    replicas: tuple[Replica, ...]
    whole: float | None = None


@dataclass(frozen=True)
class Wish:
    """What a decision would have been by the readings alone."""

    at_s: float
    amount: float


@dataclass(frozen=True)
class State:
    """What there is: replicas, or CPUs of each; and what was wished for, as far back as a window asks for it."""

    now: float
    wishes: tuple[Wish, ...] = ()


@dataclass(frozen=True)
class Growth:
    """What the load is expected to be, as a factor of what it is now. None: nothing is expected, and why not."""

    factor: float | None
    reason: str


@dataclass(frozen=True)
class Decision:
    """How much there should be from now on, why in one line, and the state for the next time, as if that were done."""

    amount: float
    reason: str
    state: State
    changes: bool


@dataclass(frozen=True)
class _Ratio:
    """How many times what there is would bring the reading to its target, over how many replicas that was found."""

    value: float
    over: int
    words: str


def policy(law: Law, readings: Readings, state: State, growth: Growth | None = None) -> Decision:
    """What the law asks for.

    `growth` only ever adds: what the readings ask for is the least. Without a reading nothing changes. `wishes` of the
    state that comes back are those that a later decision can look at.
    """
    ratio = _ratio(law, readings)
    if ratio is None:
        reason = f"{law.on}: no reading of any replica that is ready; stays at {_words(law, state.now)}"
        return Decision(state.now, reason, state, changes=False)
    wanted = _wanted(law, ratio, state.now)
    said = [f"{ratio.words}: {_words(law, wanted)}"]
    if growth is not None:
        wanted = _with_growth(law, ratio, state.now, wanted, growth, said)
    wishes = _kept(law, state.wishes, readings.at_s)
    amount = _stabilised(law, state.now, wanted, wishes, readings.at_s, said)
    amount = _bounded(law, amount, said)
    wishes = (*wishes, Wish(readings.at_s, wanted))
    return Decision(amount, "; ".join(said), State(amount, wishes), changes=not _same(amount, state.now))


def due(planned: Planned, after_s: float, until_s: float) -> Step | None:
    """The last step whose time has come since `after_s`, which is not counted, by `until_s` of the window. Of several
    that came at once only the last is worth doing."""
    come = [step for step in planned.steps if after_s < step.at_us / 1e6 <= until_s]
    return come[-1] if come else None


# --- from readings to a ratio ---


def _ratio(law: Law, readings: Readings) -> _Ratio | None:
    if law.on in ("cpu", "memory"):
        return _of_shares(law, readings.replicas)
    if readings.whole is None or not readings.replicas:
        return None
    if law.on == "queue":
        count = len(readings.replicas)
        words = f"queue {readings.whole:g} of target {law.target:g} x {count} {_plural(count)}"
        return _Ratio(readings.whole / (law.target * count), count, words)
    # Kubernetes counts only the ready ones of a metric that is none of a replica's own.
    ready = sum(replica.ready for replica in readings.replicas)
    if not ready:
        return None
    scale, unit = (1_000, " ms") if law.on == "latency" else (1, "")
    words = f"{law.on} {readings.whole / scale:.3g}{unit} of target {law.target / scale:g}{unit} x {ready} ready"
    return _Ratio(readings.whole / law.target, ready, words)


def _of_shares(law: Law, replicas: Sequence[Replica]) -> _Ratio | None:
    """Of what each replica uses of its limit.

    One that is not ready counts nothing, and one without a reading is taken for what makes the change smaller: all of
    its limit when that would shrink, none of it when it would grow. Where that turns the direction, nothing changes.
    """
    # What a starting replica uses of its CPU is its start; of its memory it is what it needs.
    idle = [one for one in replicas if law.on == "cpu" and one.share is not None and not one.ready]
    missing = [one for one in replicas if one.share is None]
    shares = [one.share for one in replicas if one.share is not None and one not in idle]
    if not shares:
        return None
    mean = sum(shares) / len(shares)
    first = mean / law.target
    words = f"{law.on} {mean:.2f} of target {law.target:.2f} x {len(shares)} {_plural(len(shares))}"
    waits = bool(idle) and first > 1
    if not missing and not waits:
        return _Ratio(first, len(shares), words)
    assumed = shares + [1.0 if first < 1 else 0.0] * len(missing) + [0.0] * (len(idle) if waits else 0)
    if first == 1 and missing:
        assumed = shares + [law.target] * len(missing)
    words += f", {len(assumed) - len(shares)} not read or not ready"
    second = sum(assumed) / len(assumed) / law.target
    turned = (first < 1 < second) or (second < 1 < first)
    return _Ratio(1.0 if turned else second, len(assumed), words)


# --- from a ratio to an amount ---


def _wanted(law: Law, ratio: _Ratio, now: float) -> float:
    """Within the tolerance what there is, else so much that the reading would be at its target."""
    if abs(1.0 - ratio.value) <= law.tolerance + _ROUNDING:
        return now
    if law.change == "cpus":
        return round(math.ceil(now * ratio.value / _CPUS_STEP - _ROUNDING) * _CPUS_STEP, 2)
    wanted = math.ceil(ratio.value * ratio.over - _ROUNDING)
    # Replicas that are being replaced can be more than there are to be: their number alone must not turn the direction.
    turned = (ratio.value < 1 and wanted > now) or (ratio.value > 1 and wanted < now)
    return now if turned and law.on in ("cpu", "memory") else wanted


def _with_growth(law: Law, ratio: _Ratio, now: float, wanted: float, growth: Growth, said: list[str]) -> float:
    if growth.factor is None:
        said.append(f"no forecast: {growth.reason}")
        return wanted
    ahead = _wanted(law, replace(ratio, value=ratio.value * growth.factor), now)
    said.append(f"{growth.reason}: {_words(law, ahead)}" + (" (less than is needed now)" if ahead < wanted else ""))
    return max(wanted, ahead)


def _kept(law: Law, wishes: Sequence[Wish], at_s: float) -> tuple[Wish, ...]:
    longest_s = max(law.up_after_us, law.down_after_us) / 1e6
    return tuple(wish for wish in wishes if wish.at_s > at_s - longest_s)


def _stabilised(law: Law, now: float, wanted: float, wishes: Sequence[Wish], at_s: float, said: list[str]) -> float:
    """No less than was wished for at any time of the down window, no more than at any of the up window."""

    def window(after_us: int) -> list[float]:
        return [wanted, *(wish.amount for wish in wishes if wish.at_s > at_s - after_us / 1e6)]

    amount = min(max(now, min(window(law.up_after_us))), max(window(law.down_after_us)))
    if not _same(amount, wanted):
        after_us = law.down_after_us if wanted < amount else law.up_after_us
        said.append(f"{_words(law, amount)} by what was asked for in the last {after_us / 1e6:g} s")
    return amount


def _bounded(law: Law, amount: float, said: list[str]) -> float:
    if amount > law.high:
        said.append(f"bounded by max {law.high:g}")
    elif amount < law.low:
        said.append(f"bounded by min {law.low:g}")
    return min(max(amount, law.low), law.high)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _ROUNDING


def _words(law: Law, amount: float) -> str:
    return f"{amount:g} CPUs" if law.change == "cpus" else f"{amount:g}"


def _plural(count: int) -> str:
    return "replica" if count == 1 else "replicas"
