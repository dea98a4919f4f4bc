"""The values of `scaling` in a sweep file, read from what people write or from their canonical text."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, get_args

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
from testbed.plan.mapping import Mapping, number, one_of, quantity
from testbed.plan.scaling import (
    DOWN_AFTER_US,
    EVERY_US,
    MAX_DELAY_US,
    MIN_EVERY_US,
    NONE,
    READABLE,
    SHARES,
    TOLERANCE,
    Change,
    Forecast,
    Law,
    Method,
    On,
    Planned,
    Scaling,
    Step,
    amount_of,
    duration,
    size,
    text,
    written,
)
from testbed.units import format_bytes, parse_bytes, parse_duration_us

_KEYS_OF_STEPS = ("change", "steps")
_KEYS_OF_LAW = ("change", "on", "target", "min", "max", "every", "tolerance", "up_after", "down_after")
_KEYS_OF_FORECAST = ("forecast", "season", "ahead")
ALLOWED = (
    "`none`, `{change: cpus, steps: [{at: 10s, to: 1.0}]}` (or memory, replicas), or `{change: replicas, on: cpu, "
    "target: 0.6, min: 1, max: 4}` (or cpus)"
)


def _amounts(change: Change, machine: Machine) -> tuple[Callable[[object], float], str]:
    """What reads an amount of what is changed, and what that may be."""
    if change == "replicas":
        return number(1, MAX_REPLICAS, whole=True), f"a whole number from 1 to {MAX_REPLICAS}"
    if change == "cpus":
        allowed = f"a number from {MIN_CPUS} to {machine.cpus} (this machine has {machine.cpus} CPUs)"
        return number(MIN_CPUS, machine.cpus), allowed
    low, high = MIN_MEMORY_BYTES, machine.memory_bytes
    allowed = f"a size from {format_bytes(low)} to {format_bytes(high)} with its unit, such as 256MiB"
    return quantity(parse_bytes, low, high), allowed


def read(given: object, machine: Machine) -> Scaling | None:
    """The record of one value of the sweep file; None for `none`. PydanticCustomError says where what is allowed."""
    if given == NONE:
        return None
    if not isinstance(given, dict):
        raise not_allowed(ALLOWED)
    if "steps" in given:
        return _planned(Mapping(given, (), _KEYS_OF_STEPS), machine)
    return _law(Mapping(given, (), (*_KEYS_OF_LAW, *_KEYS_OF_FORECAST)), machine)


def _planned(given: Mapping, machine: Machine) -> Planned:
    change: Change = given.take("change", one_of(*get_args(Change)), ", ".join(get_args(Change)))
    steps = given.needs("steps", "at least one")
    if not isinstance(steps, list) or not steps:
        raise not_allowed_at(("steps",), "a list of at least one step, such as [{at: 10s, to: 1.0}]")
    amount, allowed = _amounts(change, machine)
    found: list[Step] = []
    for place, step in enumerate(steps):
        one = Mapping(step, ("steps", place), ("at", "to"))
        at_us = one.take("at", quantity(parse_duration_us, 0, MAX_DELAY_US), "a duration from 0 to 60m, such as 10s")
        found.append(Step(at_us, one.take("to", amount, allowed)))
        if place and at_us <= found[-2].at_us:
            raise not_allowed_at(("steps", place, "at"), f"later than the step before, at {duration(found[-2].at_us)}")
        if place and change == "memory" and found[-1].to <= found[-2].to:
            raise not_allowed_at(
                ("steps", place, "to"),
                f"more than {size(int(found[-2].to))}, which the step before gives: memory in use cannot be taken",
            )
    return Planned(change, tuple(found))


def _law(given: Mapping, machine: Machine) -> Law:
    change: Change = given.take("change", one_of(*READABLE), f"{' or '.join(READABLE)} (memory: by steps alone)")
    signals = READABLE[change]
    on: On = given.take("on", one_of(*signals), f"{', '.join(signals)} with change {change}")
    amount, allowed = _amounts(change, machine)
    high = given.take("max", amount, allowed)
    low = given.take("min", amount, allowed, default=1 if change == "replicas" else MIN_CPUS)
    if low > high:
        raise not_allowed_at(("min",), f"at most max, which is {high:g}")
    delay = quantity(parse_duration_us, 0, MAX_DELAY_US), "a duration from 0 to 60m, such as 20s"
    every = given.take(
        "every",
        quantity(parse_duration_us, MIN_EVERY_US, MAX_DELAY_US),
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
        given.take("tolerance", number(0, 1), "a share of the target, 0 to 1", default=TOLERANCE),
        given.take("up_after", *delay, default=0),
        given.take("down_after", *delay, default=DOWN_AFTER_US),
        _forecast(given, every),
    )


def _target(given: Mapping, on: On) -> float:
    if on == "latency":
        latency = quantity(parse_duration_us, 1, MAX_DELAY_US)
        return float(given.take("target", latency, "a duration, which the p99 is to have, such as 20ms"))
    if on in SHARES:
        return float(given.take("target", number(0.0001, 1), f"a share of 1, such as 0.6, with on {on}"))
    return float(given.take("target", number(0.01, 1e6), "how many may wait for each replica, such as 4"))


def _forecast(given: Mapping, every_us: int) -> Forecast | None:
    methods, lasting = get_args(Method), quantity(parse_duration_us, 1, MAX_DELAY_US)
    if given.given.get("forecast") is None:
        for key in ("season", "ahead"):
            if key in given.given:
                raise not_allowed_at((key,), "nothing without forecast, which it belongs to")
        return None
    method: Method = given.take("forecast", one_of(*methods), " or ".join(methods))
    ahead = given.take("ahead", lasting, "a duration that a change needs to show, such as 8s")
    if method == "linear":
        if "season" in given.given:
            raise not_allowed_at(("season",), "nothing with forecast linear: a line has no season")
        return Forecast(method, ahead)
    season = given.take("season", lasting, "the period of the load, such as 60s")
    if season % every_us or season // every_us < 2:
        raise not_allowed_at(
            ("season",), f"a multiple of every, which is {duration(every_us)}, and at least twice as long"
        )
    return Forecast(method, ahead, season)


def _text(given: object, info: ValidationInfo) -> str:
    return text(read(given, machine_of(info)))


Scales = Annotated[str, Reader(_text, allowed=ALLOWED)]
"""One value of `scaling`, as its canonical text."""


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
        steps = (f"{amount_of(scaling.change, one.to)} at {duration(one.at_us)}" for one in scaling.steps)
        return f"{scaling.change} {', '.join(steps)}"
    target = duration(int(scaling.target)) if scaling.on == "latency" else f"{scaling.target:g}"
    unit = " CPU" if scaling.change == "cpus" else ""
    words = [f"{scaling.on} {target}", f"{scaling.low:g} to {scaling.high:g}{unit}"]
    words += [f"every {duration(scaling.every_us)}"] if scaling.every_us != EVERY_US else []
    words += [f"tolerance {scaling.tolerance:g}"] if scaling.tolerance != TOLERANCE else []
    words += [f"up after {duration(scaling.up_after_us)}"] if scaling.up_after_us else []
    words += [f"down after {duration(scaling.down_after_us)}"] if scaling.down_after_us != DOWN_AFTER_US else []
    if (forecast := scaling.forecast) is not None:
        season = f" of {duration(forecast.season_us)}" if forecast.season_us else ""
        words.append(f"{forecast.method}{season}, {duration(forecast.ahead_us)} ahead")
    return ", ".join(words)
