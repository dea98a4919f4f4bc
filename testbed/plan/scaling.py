"""What may change while the load is on: limits or replicas, at set times or by a law that reads the load. Pure.

One value of the sweep file's `scaling` is `none` or a mapping:

    {change: cpus, steps: [{at: 10s, to: 1.0}]}
    {change: replicas, on: cpu, target: 0.6, min: 1, max: 4, every: 2s, down_after: 20s}
    {change: replicas, on: cpu, target: 0.6, max: 4, forecast: holt-winters, season: 60s, ahead: 8s}

In a cell it is its canonical text: one text for each meaning. `scaling_values` reads either.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from testbed.units import BYTES_PER_UNIT, US_PER_UNIT

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
    `errors` the share of ended requests that failed; of `latency` the p99 in microseconds. `low` and `high` are
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


# --- writing ---


def _exactly(value: int, units: Mapping[str, int]) -> str:
    """In the largest unit that needs no fraction."""
    unit = max((one for one in units if value % units[one] == 0), key=lambda one: units[one])
    return f"{value // units[unit]}{unit}"


def duration(us: int) -> str:
    # Seconds are what people give up to an hour.
    return _exactly(us, {name: size for name, size in US_PER_UNIT.items() if name != "m"})


def size(count: int) -> str:
    return _exactly(count, BYTES_PER_UNIT)


def amount_of(change: Change, value: float) -> Any:
    return size(int(value)) if change == "memory" else int(value) if change == "replicas" else value


def written(given: str) -> Any:
    """The form of the sweep file, from the canonical text."""
    return NONE if given == NONE else json.loads(given)


def text(scaling: Scaling | None) -> str:
    """The canonical text: JSON with every key that has a value, in one order."""
    if scaling is None:
        return NONE
    if isinstance(scaling, Planned):
        steps = [{"at": duration(one.at_us), "to": amount_of(scaling.change, one.to)} for one in scaling.steps]
        return _json({"change": scaling.change, "steps": steps})
    target = duration(int(scaling.target)) if scaling.on == "latency" else scaling.target
    mapping = {
        "change": scaling.change,
        "on": scaling.on,
        "target": target,
        "min": amount_of(scaling.change, scaling.low),
        "max": amount_of(scaling.change, scaling.high),
        "every": duration(scaling.every_us),
        "tolerance": scaling.tolerance,
        "up_after": duration(scaling.up_after_us),
        "down_after": duration(scaling.down_after_us),
    }
    if (forecast := scaling.forecast) is not None:
        mapping["forecast"] = forecast.method
        mapping |= {"season": duration(forecast.season_us)} if forecast.season_us else {}
        mapping["ahead"] = duration(forecast.ahead_us)
    return _json(mapping)


def _json(mapping: Mapping[str, Any]) -> str:
    return json.dumps(mapping, separators=(",", ":"))
