"""The summary of one window, out of what the sampler found. Pure but for the facts of the machine."""

from dataclasses import asdict
from typing import Any

from probe.cgroup import Limits
from probe.growth import OF_TASKS
from probe.sampler import Edge, Outcome

# 1 had sums over the tasks alive in the place of the counters in OF_TASKS.
SCHEMA_VERSION = 2

# Of these the window's difference is told; everything else is a level. What the kernel keeps for each thread has its
# difference from probe.growth.
COUNTERS = (
    "cpu_used_us",
    "user_us",
    "system_us",
    "periods",
    "throttled_periods",
    "throttled_us",
    "oom_kills",
    "psi",
    "listen_overflows",
    "listen_drops",
    "minor_faults",
    "major_faults",
)


def difference(before: Any, after: Any) -> Any:
    """What a counter, or each of a dict of counters, grew by; None where either reading is not known."""
    if before is None or after is None:
        return None
    if isinstance(after, dict):
        return {name: difference(before.get(name), value) for name, value in after.items()}
    return after - before


def summarise(
    name: str,
    outcome: Outcome,
    version: int | None,
    limits: Limits | None,
    machine: dict[str, Any],
    detail_interval_s: float,
    start_cpu_s: float,
) -> dict[str, Any]:
    """The content of NAME.probe.json."""
    opened, closed, window = outcome.opened, outcome.closed, outcome.window
    both = opened is not None and closed is not None
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "complete": outcome.complete,
        "cgroup_version": version,
        "limits": None if limits is None else asdict(limits),
        "window": None if window is None else asdict(window),
        "edges": {"opened": _timing(opened), "closed": _timing(closed)},
        "opened": None if opened is None else opened.reading,
        "closed": None if closed is None else closed.reading,
        "difference": _differences(outcome, opened, closed) if opened and closed else None,
        "max": outcome.maxima if both else None,
        "churn": None if outcome.growth is None else asdict(outcome.growth.churn),
        "unavailable": _unavailable(outcome),
        "samples": {**outcome.samples, "detail_interval_s": round(detail_interval_s, 3)},
        "own_cost": _own_cost(outcome, opened, closed, start_cpu_s),
        "machine": machine,
    }


def _unavailable(outcome: Outcome) -> dict[str, str]:
    """Why, for what an edge's reading lacks, and for the counters in OF_TASKS where their difference is not known."""
    edges = [edge.unavailable for edge in (outcome.opened, outcome.closed) if edge is not None]
    found = {name: why for edge in edges for name, why in edge.items()}
    if outcome.growth is not None and outcome.closed is not None:
        found = {name: why for name, why in found.items() if name not in OF_TASKS} | outcome.growth.unavailable
    return found


def _timing(edge: Edge | None) -> dict[str, float] | None:
    if edge is None:
        return None
    return {"unix": round(edge.unix, 6), "late_s": round(edge.late_s, 6), "took_s": round(edge.took_s, 6)}


def _differences(outcome: Outcome, opened: Edge, closed: Edge) -> dict[str, Any]:
    counters = {name: difference(opened.reading[name], closed.reading[name]) for name in COUNTERS}
    grown = dict.fromkeys(OF_TASKS) if outcome.growth is None else outcome.growth.difference
    return {"duration_s": round(closed.unix - opened.unix, 6), **counters, **grown}


def _own_cost(outcome: Outcome, opened: Edge | None, closed: Edge | None, start_cpu_s: float) -> dict[str, Any]:
    """What the probe used from just before the opening reading to just after the closing one."""
    details = sorted(outcome.detail_cpu_s)
    cost: dict[str, Any] = {
        "cpu_s": None,
        "window_s": None,
        "share_of_core": None,
        "detail_sample_cpu_s": round(details[len(details) // 2], 6) if details else None,
        "start_cpu_s": round(start_cpu_s, 4),
    }
    if opened is not None and closed is not None:
        cpu_s, window_s = closed.cpu_after_s - opened.cpu_before_s, closed.unix - opened.unix
        share = round(cpu_s / window_s, 5) if window_s > 0 else None
        cost |= {"cpu_s": round(cpu_s, 6), "window_s": round(window_s, 6), "share_of_core": share}
    return cost
