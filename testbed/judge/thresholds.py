"""Every number a verdict depends on, with its unit and its source or reason. docs/verdicts.md prints this table."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from testbed.plan.search import SUSTAINED

Unit = Literal["share", "us", "s", "seconds"]
"""`share`: of 1. `us`, `s`: a time. `seconds`: so many whole seconds of a window."""


def _number(default: float, decides: str, unit: Unit, reason: str) -> Any:
    return field(default=default, metadata={"decides": decides, "unit": unit, "reason": reason})


@dataclass(frozen=True)
class Thresholds:
    """The unit is in the name as well; shares are of 1. `decides`: a gate by its name, or a verdict."""

    little_relative: float = _number(
        0.05,
        "littles_law",
        "share",
        "Little's law is exact; what is left is rounding and clocks. Customary since Lazowska et al., Quantitative "
        "System Performance (1984), 3.2. The edges of a short window come on top, see `littles_law` in "
        "`testbed/judge/laws.py`.",
    )
    little_most_edge: float = _number(
        0.25,
        "littles_law",
        "share",
        "A window in which the edges alone could move the result by more than this cannot test the law.",
    )
    timer_slack_us: float = _number(
        1_000.0,
        "littles_law",
        "us",
        "An event loop that waits with epoll rounds its timers up to whole milliseconds: a pause may be so much "
        "longer.",
    )
    utilisation_relative: float = _number(
        0.20,
        "utilisation_law",
        "share",
        "The fastest moment of a few seconds bounds the demand, on a machine whose clock rate moves with temperature "
        "and load; a counting mistake is off by a factor, not by a fifth.",
    )
    cpu_time_relative: float = _number(
        0.05, "utilisation_law", "share", "Counters are read some milliseconds off the edges of the window."
    )
    quota_period_s: float = _number(
        0.1,
        "utilisation_law",
        "s",
        "The kernel's and Docker's default quota period: so much of a quota may be spent beyond either edge. Shares of "
        "throttled periods are counted in it too.",
    )
    generator_cpu_share: float = _number(
        0.70,
        "generator_cpu",
        "share",
        "At 70 % use an M/M/1 queue already waits 2.3 service times: what is measured then is the generator's own "
        "queue.",
    )
    generator_throttled_share: float = _number(
        0.01,
        "generator_throttling",
        "share",
        "One stall in a hundred periods reaches less than 1 % of the requests, so the 99th percentile still stands.",
    )
    dispatch_lag_p99_us: float = _number(
        5_000.0,
        "send_lag",
        "us",
        "The millisecond of the timer, and the few requests that one worker handles before it gets to the late one.",
    )
    achieved_over_offered: float = _number(
        SUSTAINED, "achieved_over_offered", "share", "The rule of capacity searches."
    )
    machine_cpu_share: float = _number(
        0.90,
        "client-bound",
        "share",
        "Server and generator on shared cores: together at this share of the machine, the machine is the bound.",
    )
    server_cpu_share: float = _number(
        0.90,
        "server-bound",
        "share",
        "The scheduler hands quota out in slices of 5 ms per CPU and takes back what is unused, so a server that could "
        "use more all the time still measures a few percent below its limit.",
    )
    server_throttled_share: float = _number(
        0.50,
        "server-bound",
        "share",
        '"Most periods": a server throttled in half of them wanted more than its quota half of the time.',
    )
    slots_busy_share: float = _number(
        0.80,
        "server-bound",
        "share",
        "Between two requests a slot also waits for the next client's first byte, and a sleep ends late: neither is in "
        "the sum of sleeping and computing.",
    )
    steal_share: float = _number(
        0.01,
        "disturbed",
        "share",
        "As with stalls of the generator: once more than one moment in a hundred belonged to others, so many requests "
        "met one that the 99th percentile is the hypervisor's. Steal comes in bursts: 0.5 to 2.3 % of a window where "
        "it was looked at.",
    )
    steal_tick_s: float = _number(
        0.01,
        "disturbed",
        "s",
        "The kernel counts it in hundredths of a second, so that a window may get one tick from beyond its edge.",
    )
    steady_mean_relative: float = _number(
        0.10,
        "steady_state",
        "share",
        "After pyperf's test of warm-ups (its _worker.test_calibrate_warmups), and stricter: pyperf lets the first "
        "half's mean lie 50 % below to 10 % above the second's, since it looks for times that are still falling, and "
        "calls a first value an outlier only above. A throughput that falls in the window is as unsteady as one that "
        "rises, so here both directions have the limit that is pyperf's upwards.",
    )
    steady_quartile_relative: float = _number(
        0.05, "steady_state", "share", "Quartiles within 5 % are pyperf's, both ways."
    )
    steady_quartile_slices: int = _number(
        10,
        "steady_state",
        "seconds",
        "Quartiles of fewer values than this per half differ by more than 5 % by chance.",
    )
    steady_least_slices: int = _number(
        6, "steady_state", "seconds", "Three values per half are the least that have a middle."
    )


@dataclass(frozen=True)
class Limit:
    """One threshold as the documentation tells it."""

    name: str
    value: float
    unit: Unit
    decides: str
    """A gate by its name, or the verdict."""
    reason: str


def limits() -> list[Limit]:
    """Every threshold, in the order of what it decides."""
    values = Thresholds()
    return [Limit(name=one.name, value=getattr(values, one.name), **one.metadata) for one in fields(Thresholds)]
