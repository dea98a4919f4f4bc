"""One trial by the second: what was offered and served, how fast, with what, and what was decided.

None is "not known"; what is not known of one box in a second is not known of all in it.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from loadtests import profiles
from testbed.plan import scaling, scaling_values
from testbed.plan.profile import STEADY
from testbed.report.source import Results, Row
from testbed.results.boxes import server_files, servers
from testbed.sums import total
from testbed.units import parse_duration_us

# A second that offers this many times what the one before it offered is a step of the load. Random arrivals at 100
# requests/s stay below it in all but one of a million seconds.
STEP = 1.5
# Of a window's last second; a shorter rest has too few requests to tell a rate.
_LEAST_S = 0.5
# Below that many, one that is slower is more than 1 %.
_FEW = 100
# The probes are told of the window by another clock than the load's.
EDGE_S = 0.1

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class Timeline:
    """Seconds of the window, each from `starts[n]` seconds after its opening, for `lengths[n]` seconds."""

    starts: tuple[float, ...]
    lengths: tuple[float, ...]
    offered: Values
    """Requests that were due; of a closed loop not known, there is no such thing."""
    served: Values
    failed: Values
    missed: Values
    in_flight: Values
    """Requests sent and not ended when the second was over."""
    p99_us: Values
    """Of a second with fewer than 100 replies the slowest, which 99 % of them are within as well. None without any."""
    serving: Values
    """Replicas that were given connections when the second began."""
    reserved_cpus: Values
    """CPU limits of all replicas that ran, on average over the second."""
    used_cpus: Values
    """CPUs that the replicas used, likewise."""
    actions: tuple[dict[str, Any], ...]
    """As trial.json has them."""
    levels: tuple[tuple[float, float, float], ...]
    """Replicas that serve, and CPUs reserved, from a second of the window on: when that changed."""

    def rate(self, counts: Values) -> Values:
        """Per second."""
        return tuple(
            None if count is None else count / length for count, length in zip(counts, self.lengths, strict=True)
        )


def timeline(results: Results, row: Row) -> Timeline | None:
    """None where the load has left nothing of single seconds."""
    record = results.file(row["trial_id"], "trial.json") or {}
    load = results.file(row["trial_id"], "load.json") or {}
    slices = [one for one in load.get("slices") or () if one.get("in_window") and one["duration_s"] >= _LEAST_S]
    if not slices:
        return None
    starts = tuple(float(one["start_s"]) for one in slices)
    lengths = tuple(float(one["duration_s"]) for one in slices)
    levels = _levels(record)
    offered, served, failed, missed, in_flight = (
        tuple(one.get(name) for one in slices) for name in ("offered", "ok", "failed", "missed", "in_flight")
    )
    return Timeline(
        starts,
        lengths,
        offered,
        served,
        failed,
        missed,
        in_flight,
        tuple(_p99(one) for one in slices),
        serving=tuple(_at(levels, start, 1) for start in starts),
        reserved_cpus=tuple(
            _mean(levels, start, start + length) for start, length in zip(starts, lengths, strict=True)
        ),
        used_cpus=_used(results, row, record, (load.get("window") or {}).get("opens_unix"), starts, lengths),
        actions=tuple(one for one in record.get("actions") or () if isinstance(one, dict)),
        levels=levels,
    )


def _p99(second: dict[str, Any]) -> float | None:
    few = (second.get("ok") or 0) < _FEW
    return second.get("max_us") if few and second.get("p99_us") is None else second.get("p99_us")


Levels = tuple[tuple[float, float, float], ...]


def _levels(record: dict[str, Any]) -> Levels:
    """Of a trial in which nothing was to change, what there was throughout."""
    given = record.get("provision") or ()
    if given:
        first, *later = ((float(one["at_s"]), float(one["serving"]), float(one["cpus"])) for one in given)
        # It is written down right after the opening, before anything is changed.
        return ((-math.inf, *first[1:]), *later)
    there = servers(record)
    cpus = total(box.get("cpu_limit") for box in there)
    if cpus is None or any(box.get("joined") or box.get("removed") for box in there):
        return ()
    return ((-math.inf, float(len(there)), float(cpus)),)


def _at(levels: Levels, second: float, place: int) -> float | None:
    return next((level[place] for level in reversed(levels) if level[0] <= second), None)


def _mean(levels: Levels, begin: float, end: float) -> float | None:
    """Of the reserved CPUs over that time."""
    edges = [begin, *(level[0] for level in levels if begin < level[0] < end), end]
    parts = [(after - before, _at(levels, before, 2)) for before, after in pairwise(edges)]
    whole = total(None if cpus is None else length * cpus for length, cpus in parts)
    return None if whole is None else whole / (end - begin)


def _used(
    results: Results,
    row: Row,
    record: dict[str, Any],
    opens_unix: float | None,
    starts: Sequence[float],
    lengths: Sequence[float],
) -> Values:
    files = server_files(record, "probe.ndjson")
    series = [
        (results.series(row["trial_id"], files[box["name"]]), box) for box in servers(record) if box["name"] in files
    ]
    if opens_unix is None or not series:
        return (None,) * len(starts)
    of_each = [
        [
            cpu_used(samples, opens_unix + start, opens_unix + start + length, box)
            for start, length in zip(starts, lengths, strict=True)
        ]
        for samples, box in series
    ]
    sums = (total(values) for values in zip(*of_each, strict=True))
    return tuple(None if used is None else used / length for used, length in zip(sums, lengths, strict=True))


def cpu_used(samples: Sequence[dict[str, Any]], begin: float, end: float, box: dict[str, Any]) -> float | None:
    """Seconds of CPU time between two moments, between samples as if it had been used evenly.

    A box that joined has used nothing before its first sample but what that says; one that went uses nothing after the
    second in which its last was taken, of which the rest is not known.
    """
    points = [(one["unix"], one["cpu_used_us"]) for one in samples if one.get("cpu_used_us") is not None]
    if not points:
        return None
    first, last, joined = points[0][0], points[-1][0], bool(box.get("joined"))
    if (box.get("removed") or box.get("ended")) and begin > last:
        return 0.0
    if end > last + EDGE_S or (not joined and begin < first - EDGE_S):
        return None
    seen = min(end, last) - (begin if joined else max(begin, first))
    used = _count_at(points, min(end, last)) - _count_at(points, begin if joined else max(begin, first))
    return used / 1e6 * (end - begin) / seen if seen > 0 else None


def _count_at(points: Sequence[tuple[float, float]], moment: float) -> float:
    """The counter, which stood at zero before the first reading."""
    if moment < points[0][0]:
        return 0.0
    place = bisect_right(points, moment, key=lambda point: point[0])
    if place == len(points):
        return points[-1][1]
    (left, before), (right, after) = points[place - 1], points[place]
    return before + (after - before) * (moment - left) / (right - left)


def rises(row: Row, offered: Sequence[float | None]) -> list[int]:
    """The seconds from which the load is at once more than before: of a profile by its segments; else as it was
    offered. Empty where it only ever changes little by little."""
    profile = row.get("profile")
    if profile in (None, "", STEADY):
        return load_steps(offered)
    begins, found, before = 0.0, [], None
    for segment in profiles.parse(profile).segments:
        if before is not None and segment.rate_at(0.0) > before:
            found.append(math.floor(begins))
        begins += segment.length_s
        before = segment.rate_at(segment.length_s)
    return found


def load_steps(offered: Sequence[float | None]) -> list[int]:
    """The seconds from which the load was clearly more than before, of a rate that rises in two seconds the first."""
    found = [
        place
        for place, (before, after) in enumerate(pairwise(offered), 1)
        if before and after is not None and after >= STEP * before
    ]
    return [place for place in found if place - 1 not in found]


def objective_us(results: Results) -> float | None:
    """The p99 that the sweep asks for, in microseconds: `load.slo` or `load.objective`; else what its laws hold the
    latency to, where that is one time. None where it asks for none."""
    load = results.sweep.get("load")
    for given in [load.get(name) for name in ("slo", "objective")] if isinstance(load, dict) else []:
        if isinstance(given, dict) and "p99" in given:
            return float(parse_duration_us(given["p99"]))
    laws = [scaling_values.of_text(text) for text in {str(row.get("scaling") or scaling.NONE) for row in results.rows}]
    targets = {law.target for law in laws if isinstance(law, scaling.Law) and law.on == "latency"}
    return targets.pop() if len(targets) == 1 else None


def is_transient(row: Row) -> bool:
    """Whether load, limits or replicas were to change in its window, or one to fail."""
    return any(row.get(name) not in (None, "", scaling.NONE) for name in ("profile", "scaling", "fault"))
