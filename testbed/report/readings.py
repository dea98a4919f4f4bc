"""What a trial told of itself while its load was on, once a second, as one who had to decide would have read it. Pure.

A reading is of what was known when its second was over, so that none tells of what comes after. None is "not known";
what is not known of one server is not known of all. `TRIGGERS` has from where on each of them says that more is needed.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from testbed.judge.thresholds import Thresholds
from testbed.report.source import Results, Row
from testbed.report.timeline import EDGE_S, Timeline, Values
from testbed.results.boxes import server_files, servers
from testbed.scaling.assess import MOST_FAILED, Trigger
from testbed.sums import total

# A sample older than that, or one that spans more, tells of another moment.
_STALE_S = 2.0
_OF = Thresholds()
# Of an exponential distribution 99 % is within so many means.
_P99_OF_MEAN = math.log(100)


@dataclass(frozen=True)
class Reading:
    """One of the readings, and from where on it says that more is needed."""

    name: str
    title: str
    reads: str
    """What it is, once a second."""
    threshold: float
    reason: str
    """Of the threshold: where it is from, or why so much."""

    @property
    def trigger(self) -> Trigger:
        return Trigger(self.name, self.threshold)


TRIGGERS: tuple[Reading, ...] = (
    Reading(
        "cpu",
        "CPU",
        "CPUs used, over the CPU limit",
        _OF.server_cpu_share,
        "From here on a [verdict](verdicts.md#thresholds) calls a server saturated.",
    ),
    Reading(
        "run_queue_wait",
        "run-queue wait",
        "time that all threads together waited for a processor, in seconds per second, over the CPU limit",
        1.0,
        "As many wait as may run: what a request computes takes twice as long. That a CPU's saturation is read off the "
        "threads that wait for it (`/proc/PID/schedstat`) is Gregg's, *The USE Method*.",
    ),
    Reading(
        "throttled",
        "throttling",
        "quota periods in which the server was stopped, over all",
        _OF.server_throttled_share,
        "From here on a [verdict](verdicts.md#thresholds) calls a server saturated.",
    ),
    Reading(
        "accept_queue",
        "accept queue",
        "connections that wait to be accepted, on average over the samples of the second, or as last seen before it",
        1.0,
        "There is always one that the server has not come to.",
    ),
    Reading(
        "in_flight",
        "in flight",
        "requests sent and not answered when the second was over, over the rate that it offered times the objective",
        round(1 / _P99_OF_MEAN, 2),
        "By Little's law it is the mean latency over the objective. Of exponentially distributed times, those of an "
        "M/M/1 queue, 99 % are within ln 100 = 4.6 means.",
    ),
    Reading(
        "errors",
        "errors",
        "requests that failed, over those that ended",
        MOST_FAILED,
        "More than this and no 99 % are within the objective.",
    ),
)

Points = Sequence[tuple[float, float]]
"""Unix times and what one field of a probe's samples was at each; without the samples that do not have it."""


def readings(results: Results, row: Row, seen: Timeline, objective_us: float) -> dict[str, Values]:
    """Each reading of a trial by its name, a value for each second of `seen`."""
    opens = ((results.file(row["trial_id"], "load.json") or {}).get("window") or {}).get("opens_unix")
    probes = [] if opens is None else _probes(results, row)
    ends = [(opens or 0.0) + start + length for start, length in zip(seen.starts, seen.lengths, strict=True)]
    cpu, wait, stopped, periods, queue = (
        [_points(samples, name) for samples in probes]
        for name in ("cpu_used_us", "run_queue_wait_us", "throttled_periods", "periods", "accept_queue")
    )
    limits = seen.reserved_cpus
    return {
        "cpu": tuple(_over(_rate(cpu, end), limit) for end, limit in zip(ends, limits, strict=True)),
        "run_queue_wait": tuple(_over(_rate(wait, end), limit) for end, limit in zip(ends, limits, strict=True)),
        "throttled": tuple(_throttled(stopped, periods, end) for end in ends),
        "accept_queue": tuple(
            total(_mean(points, end, length) for points in queue)
            for end, length in zip(ends, seen.lengths, strict=True)
        ),
        "in_flight": tuple(
            _in_flight(count, rate, objective_us / 1e6)
            for count, rate in zip(seen.in_flight, seen.rate(seen.offered), strict=True)
        ),
        "errors": tuple(_errors(*counts) for counts in zip(seen.failed, seen.served, strict=True)),
    }


def _probes(results: Results, row: Row) -> list[list[dict[str, Any]]]:
    """The samples of every server. None of servers that came or went: then there is no limit of all that holds."""
    record = results.file(row["trial_id"], "trial.json") or {}
    there, files = servers(record), server_files(record, "probe.ndjson")
    if any(box.get("joined") or box.get("removed") or box.get("ended") for box in there):
        return []
    return [results.series(row["trial_id"], files[box["name"]]) for box in there]


def _points(samples: Sequence[dict[str, Any]], name: str) -> Points:
    return [(float(one["unix"]), float(one[name])) for one in samples if one.get(name) is not None]


def _by(points: Points, moment: float) -> int:
    """How many of the points there are by then."""
    return bisect_right(points, moment + EDGE_S, key=lambda point: point[0])


def _grown(points: Points, end: float) -> tuple[float, float] | None:
    """What a counter grew by in the second before, as near to that as the samples by then tell, and the seconds that
    these span."""
    count = _by(points, end)
    if count < 2 or end - points[count - 1][0] > _STALE_S:
        return None
    unix, value = points[count - 1]
    near = bisect_right(points, unix - 1, 0, count - 1, key=lambda point: point[0])
    first = min(points[max(near - 1, 0) : min(near + 1, count - 1)], key=lambda point: abs(unix - point[0] - 1))
    spans = unix - first[0]
    return (value - first[1], spans) if 0 < spans <= _STALE_S else None


def _rate(counters: Sequence[Points], end: float) -> float | None:
    """Of counters of microseconds, in seconds per second, added over the servers."""
    grown = [_grown(points, end) for points in counters]
    return total(None if one is None else one[0] / 1e6 / one[1] for one in grown)


def _over(value: float | None, limit: float | None) -> float | None:
    return None if value is None or not limit else value / limit


def _throttled(stopped: Sequence[Points], periods: Sequence[Points], end: float) -> float | None:
    """The kernel counts only periods in which the group ran, so the others are added."""
    grown = [(_grown(one, end), _grown(other, end)) for one, other in zip(stopped, periods, strict=True)]
    share = total(None if one is None else one[0] for one, _ in grown)
    of = total(None if one is None else max(one[0], one[1] / _OF.quota_period_s) for _, one in grown)
    return _over(share, of)


def _mean(points: Points, end: float, length: float) -> float | None:
    """Over the samples of a second; of one without any, the last before it."""
    count = _by(points, end)
    values = [value for _, value in points[_by(points, end - length) : count]]
    if not values and count and end - points[count - 1][0] <= _STALE_S:
        return points[count - 1][1]
    return fmean(values) if values else None


def _in_flight(count: float | None, rate: float | None, objective_s: float) -> float | None:
    if count is None or rate is None:
        return None
    if not rate:
        return None if count else 0.0
    return count / (rate * objective_s)


def _errors(failed: float | None, served: float | None) -> float | None:
    if failed is None or served is None:
        return None
    return failed / (failed + served) if failed else 0.0
