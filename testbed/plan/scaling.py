"""What may change while the load is on: limits or replicas, at set times or by a law that reads the load. Pure.

One value of the sweep file's `scaling` is `none` or a mapping:

    {change: cpus, steps: [{at: 10s, to: 1.0}]}
    {change: replicas, on: cpu, target: 0.6, min: 1, max: 4, every: 2s, down_after: 20s}
    {change: replicas, on: cpu, target: 0.6, max: 4, forecast: holt-winters, season: 60s, ahead: 8s}

In a cell it is its canonical text: one text for each meaning, from which `of_text` makes the same record again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import ValidationInfo

from testbed.plan.fields import (
    MAX_REPLICAS,
    MIN_CPUS,
    MIN_MEMORY_BYTES,
    Machine,
    Reader,
    machine_of,
    not_allowed,
    not_allowed_at,
)
from testbed.units import BYTES_PER_UNIT, US_PER_UNIT, format_bytes, parse_bytes, parse_duration_us

NONE = "none"

Change = Literal["cpus", "memory", "replicas"]
On = Literal["cpu", "memory", "queue", "errors", "latency"]
Method = Literal["holt-winters", "linear"]

# Readings are taken once a second or so, and an action has to show in them before the next decision.
MIN_EVERY_US = 500_000
MAX_DELAY_US = 3_600_000_000
# Those of windows of a minute or two. Kubernetes has 15 s, and 300 s before it takes away.
EVERY_US = 2_000_000
DOWN_AFTER_US = 20_000_000
# As Kubernetes' `--horizontal-pod-autoscaler-tolerance`.
TOLERANCE = 0.1
# How much can be read of what; memory does not move with CPUs.
READABLE: Mapping[str, tuple[On, ...]] = {
    "replicas": get_args(On),
    "cpus": ("cpu", "queue", "errors", "latency"),
}
# Of what `on` is a share, where it is one.
SHARES: tuple[On, ...] = ("cpu", "memory", "errors")


@dataclass(frozen=True)
class Step:
    """From `at_us` of the window on there are `to`: CPUs of each replica, bytes of memory of each, or replicas."""

    at_us: int
    to: float


@dataclass(frozen=True)
class Planned:
    """Changes at set times, the first first."""

    change: Change
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Forecast:
    """What is expected of the load so long ahead. `season_us` is the period that `holt-winters` looks for."""

    method: Method
    ahead_us: int
    season_us: int | None = None


@dataclass(frozen=True)
class Law:
    """Changes as Kubernetes' horizontal autoscaler makes them.

    `target`: of `cpu` and `memory` the share of the limit, 0 to 1; of `queue` how many wait, for each replica; of
    `errors` the share of requests that fail or are missed; of `latency` the p99 in microseconds. `low` and `high` are
    replicas, or CPUs of each. `every_us` is between decisions, `tolerance` around the target nothing is done in.
    `up_after_us` and `down_after_us` are the stabilisation windows.
    """

    change: Change
    on: On
    target: float
    low: float
    high: float
    every_us: int = EVERY_US
    tolerance: float = TOLERANCE
    up_after_us: int = 0
    down_after_us: int = DOWN_AFTER_US
    forecast: Forecast | None = None


Scaling = Planned | Law


# --- reading ---

_KEYS_OF_STEPS = ("change", "steps")
_KEYS_OF_LAW = ("change", "on", "target", "min", "max", "every", "tolerance", "up_after", "down_after")
_KEYS_OF_FORECAST = ("forecast", "season", "ahead")
ALLOWED = (
    "`none`, `{change: cpus, steps: [{at: 10s, to: 1.0}]}` (or memory, replicas), or `{change: replicas, on: cpu, "
    "target: 0.6, min: 1, max: 4}` (or cpus)"
)


class _Mapping:
    """A mapping of the sweep file, and where in the value of `scaling` it stands."""

    def __init__(self, given: object, at: tuple[int | str, ...], keys: Sequence[str]) -> None:
        if not isinstance(given, dict):
            raise not_allowed_at(at, f"a mapping of {', '.join(keys)}")
        self.given, self.at = given, at
        for key in given:
            if key not in keys:
                raise not_allowed_at((*at, key), f"one of the keys {', '.join(keys)} here")

    def needs(self, key: str, allowed: str) -> Any:
        if self.given.get(key) is None:
            raise not_allowed_at(self.at, f"{key} as well: {allowed}")
        return self.given[key]

    def take(self, key: str, reads: Callable[[object], Any], allowed: str, default: Any = None) -> Any:
        """The value of a key. What it may be has to be said in words; without a default it has to be given."""
        if self.given.get(key) is None and default is not None:
            return default
        value = self.needs(key, allowed)
        try:
            return reads(value)
        except (ValueError, TypeError):
            raise not_allowed_at((*self.at, key), allowed) from None


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read


def _number(low: float, high: float, whole: bool = False) -> Callable[[object], float]:
    def read(value: object) -> float:
        kinds = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise ValueError
        return int(value) if whole else float(value)

    return read


def _quantity(parse: Callable[[object], int], low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not low <= (found := parse(value)) <= high:
            raise ValueError
        return found

    return read


def _amounts(change: Change, machine: Machine) -> tuple[Callable[[object], float], str]:
    """What reads an amount of what is changed, and what that may be."""
    if change == "replicas":
        return _number(1, MAX_REPLICAS, whole=True), f"a whole number from 1 to {MAX_REPLICAS}"
    if change == "cpus":
        allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
        return _number(MIN_CPUS, machine.cpus), allowed
    low, high = MIN_MEMORY_BYTES, machine.memory_bytes
    allowed = f"a size from {format_bytes(low)} to {format_bytes(high)} with its unit, such as 256MiB"
    return _quantity(parse_bytes, low, high), allowed


def read(given: object, machine: Machine) -> Scaling | None:
    """The record of one value of the sweep file; None for `none`. PydanticCustomError says where what is allowed."""
    if given == NONE:
        return None
    if not isinstance(given, dict):
        raise not_allowed(ALLOWED)
    if "steps" in given:
        return _planned(_Mapping(given, (), _KEYS_OF_STEPS), machine)
    return _law(_Mapping(given, (), (*_KEYS_OF_LAW, *_KEYS_OF_FORECAST)), machine)


def _planned(given: _Mapping, machine: Machine) -> Planned:
    change: Change = given.take("change", _one_of(*get_args(Change)), ", ".join(get_args(Change)))
    steps = given.needs("steps", "at least one")
    if not isinstance(steps, list) or not steps:
        raise not_allowed_at(("steps",), "a list of at least one step, such as [{at: 10s, to: 1.0}]")
    amount, allowed = _amounts(change, machine)
    found: list[Step] = []
    for place, step in enumerate(steps):
        one = _Mapping(step, ("steps", place), ("at", "to"))
        at_us = one.take("at", _quantity(parse_duration_us, 0, MAX_DELAY_US), "a duration from 0 to 60m, such as 10s")
        found.append(Step(at_us, one.take("to", amount, allowed)))
        if place and at_us <= found[-2].at_us:
            raise not_allowed_at(("steps", place, "at"), f"later than the step before, at {_duration(found[-2].at_us)}")
        if place and change == "memory" and found[-1].to <= found[-2].to:
            raise not_allowed_at(
                ("steps", place, "to"),
                f"more than {_size(int(found[-2].to))}, which the step before gives: memory in use cannot be taken",
            )
    return Planned(change, tuple(found))


def _law(given: _Mapping, machine: Machine) -> Law:
    change: Change = given.take("change", _one_of(*READABLE), f"{' or '.join(READABLE)} (memory: by steps alone)")
    signals = READABLE[change]
    on: On = given.take("on", _one_of(*signals), f"{', '.join(signals)} with change {change}")
    amount, allowed = _amounts(change, machine)
    high = given.take("max", amount, allowed)
    low = given.take("min", amount, allowed, default=1 if change == "replicas" else MIN_CPUS)
    if low > high:
        raise not_allowed_at(("min",), f"at most max, which is {high:g}")
    delay = _quantity(parse_duration_us, 0, MAX_DELAY_US), "a duration from 0 to 60m, such as 20s"
    every = given.take(
        "every",
        _quantity(parse_duration_us, MIN_EVERY_US, MAX_DELAY_US),
        "a duration from 500ms to 60m, such as 2s",
        default=EVERY_US,
    )
    return Law(
        change,
        on,
        _target(given, on),
        low,
        high,
        every,
        given.take("tolerance", _number(0, 1), "a share of the target, 0 to 1", default=TOLERANCE),
        given.take("up_after", *delay, default=0),
        given.take("down_after", *delay, default=DOWN_AFTER_US),
        _forecast(given, every),
    )


def _target(given: _Mapping, on: On) -> float:
    if on == "latency":
        latency = _quantity(parse_duration_us, 1, MAX_DELAY_US)
        return float(given.take("target", latency, "a duration, which the p99 is to have, such as 20ms"))
    if on in SHARES:
        return float(given.take("target", _number(0.0001, 1), f"a share of 1, such as 0.6, with on {on}"))
    return float(given.take("target", _number(0.01, 1e6), "how many may wait for each replica, such as 4"))


def _forecast(given: _Mapping, every_us: int) -> Forecast | None:
    methods, lasting = get_args(Method), _quantity(parse_duration_us, 1, MAX_DELAY_US)
    if given.given.get("forecast") is None:
        for key in ("season", "ahead"):
            if key in given.given:
                raise not_allowed_at((key,), "nothing without forecast, which it belongs to")
        return None
    method: Method = given.take("forecast", _one_of(*methods), " or ".join(methods))
    ahead = given.take("ahead", lasting, "a duration that a change needs to show, such as 8s")
    if method == "linear":
        if "season" in given.given:
            raise not_allowed_at(("season",), "nothing with forecast linear: a line has no season")
        return Forecast(method, ahead)
    season = given.take("season", lasting, "the period of the load, such as 60s")
    if season % every_us or season // every_us < 2:
        raise not_allowed_at(
            ("season",), f"a multiple of every, which is {_duration(every_us)}, and at least twice as long"
        )
    return Forecast(method, ahead, season)


def _text(given: object, info: ValidationInfo) -> str:
    return text(read(given, machine_of(info)))


Scales = Annotated[str, Reader(_text, allowed=ALLOWED)]
"""One value of `scaling`, as its canonical text."""


# --- writing ---


def _exactly(value: int, units: Mapping[str, int]) -> str:
    """In the largest unit that needs no fraction."""
    unit = max((one for one in units if value % units[one] == 0), key=lambda one: units[one])
    return f"{value // units[unit]}{unit}"


def _duration(us: int) -> str:
    # Seconds are what people give up to an hour.
    return _exactly(us, {name: size for name, size in US_PER_UNIT.items() if name != "m"})


def _size(count: int) -> str:
    return _exactly(count, BYTES_PER_UNIT)


def _amount(change: Change, value: float) -> Any:
    return _size(int(value)) if change == "memory" else int(value) if change == "replicas" else value


def written(given: str) -> Any:
    """The form of the sweep file, from the canonical text."""
    return NONE if given == NONE else json.loads(given)


def text(scaling: Scaling | None) -> str:
    """The canonical text: JSON with every key that has a value, in one order."""
    if scaling is None:
        return NONE
    if isinstance(scaling, Planned):
        steps = [{"at": _duration(one.at_us), "to": _amount(scaling.change, one.to)} for one in scaling.steps]
        return _json({"change": scaling.change, "steps": steps})
    target = _duration(int(scaling.target)) if scaling.on == "latency" else scaling.target
    mapping = {
        "change": scaling.change,
        "on": scaling.on,
        "target": target,
        "min": _amount(scaling.change, scaling.low),
        "max": _amount(scaling.change, scaling.high),
        "every": _duration(scaling.every_us),
        "tolerance": scaling.tolerance,
        "up_after": _duration(scaling.up_after_us),
        "down_after": _duration(scaling.down_after_us),
    }
    if (forecast := scaling.forecast) is not None:
        mapping["forecast"] = forecast.method
        mapping |= {"season": _duration(forecast.season_us)} if forecast.season_us else {}
        mapping["ahead"] = _duration(forecast.ahead_us)
    return _json(mapping)


def _json(mapping: Mapping[str, Any]) -> str:
    return json.dumps(mapping, separators=(",", ":"))


# What was read once was held against the machine; a text stands for what was.
_NO_BOUND = Machine(cpus=2**20, memory_bytes=2**60)


@cache
def of_text(canonical: str) -> Scaling | None:
    """The record of a canonical text; None for `none`."""
    return read(written(canonical), _NO_BOUND)


def label(canonical: str) -> str:
    """It in a few words for tables, such as `cpu 0.6, 1 to 4`; what is as usual is left out."""
    scaling = of_text(canonical)
    if scaling is None:
        return NONE
    if isinstance(scaling, Planned):
        steps = (f"{_amount(scaling.change, one.to)} at {_duration(one.at_us)}" for one in scaling.steps)
        return f"{scaling.change} {', '.join(steps)}"
    target = _duration(int(scaling.target)) if scaling.on == "latency" else f"{scaling.target:g}"
    unit = " CPU" if scaling.change == "cpus" else ""
    words = [f"{scaling.on} {target}", f"{scaling.low:g} to {scaling.high:g}{unit}"]
    words += [f"every {_duration(scaling.every_us)}"] if scaling.every_us != EVERY_US else []
    words += [f"tolerance {scaling.tolerance:g}"] if scaling.tolerance != TOLERANCE else []
    words += [f"up after {_duration(scaling.up_after_us)}"] if scaling.up_after_us else []
    words += [f"down after {_duration(scaling.down_after_us)}"] if scaling.down_after_us != DOWN_AFTER_US else []
    if (forecast := scaling.forecast) is not None:
        season = f" of {_duration(forecast.season_us)}" if forecast.season_us else ""
        words.append(f"{forecast.method}{season}, {_duration(forecast.ahead_us)} ahead")
    return ", ".join(words)


# --- what it comes to beside the rest of the sweep ---


def misfit_in_time(canonical: str, mode: str, window_us: int) -> str:
    """What is allowed of one value where the load and the window do not go with it; empty when they do."""
    scaling = of_text(canonical)
    if scaling is None:
        return ""
    if mode != "open":
        return f"none with mode {mode}: only an open loop goes on asking while something changes"
    if isinstance(scaling, Planned):
        late = [step for step in scaling.steps if step.at_us >= window_us]
        return f"steps within the duration, {_duration(window_us)}" if late else ""
    if scaling.every_us >= window_us:
        return f"every of less than the duration, {_duration(window_us)}"
    forecast = scaling.forecast
    if forecast and forecast.season_us and 2 * forecast.season_us >= window_us:
        return (
            f"a season of less than half the duration, {_duration(window_us)}: before two of them have passed there is "
            "no forecast"
        )
    return ""


def most(canonical: str, change: Change, start: float) -> float:
    """The most there is at any time of what may change, which `start` is at first."""
    scaling = of_text(canonical)
    if scaling is None or scaling.change != change:
        return start
    if isinstance(scaling, Planned):
        return max(start, *(step.to for step in scaling.steps))
    return max(start, scaling.high)


def misfit_at_start(canonical: str, start: Mapping[Change, float], limit: str, front: str) -> str:
    """What is found and allowed where a value does not go with what a trial begins with; empty when it does.

    `start`: CPUs of each replica, bytes of memory of each, and replicas. `limit`: how CPUs are limited.
    """
    scaling = of_text(canonical)
    if scaling is None:
        return ""
    change = scaling.change
    if change == "replicas" and front not in ("haproxy", "dns"):
        reason = "nginx reads its list of servers once" if front == "nginx" else "nothing would find them"
        return f"found change replicas with front {front}, allowed: front haproxy or dns ({reason})"
    if change == "cpus" and limit != "quota":
        return f"found change cpus with limit {limit}, allowed: limit quota (processors are not divided or moved)"
    at_first = start[change]
    if isinstance(scaling, Planned):
        if change == "memory" and scaling.steps[0].to <= at_first:
            found, there = _size(int(scaling.steps[0].to)), _size(int(at_first))
            return f"found a step to {found}, allowed: more than limits.memory, {there}: memory in use cannot be taken"
        return ""
    if not scaling.low <= at_first <= scaling.high:
        what = "replicas" if change == "replicas" else "CPUs of each replica"
        return f"found {at_first:g} {what} at first, allowed: from min to max, {scaling.low:g} to {scaling.high:g}"
    return ""
