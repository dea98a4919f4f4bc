"""What each measured service of a trial used, counted and may use, as the verdict and the record have it. Pure."""

from dataclasses import replace
from typing import Any

from testbed.judge import steal
from testbed.judge.boxes import Box
from testbed.parts.counts import FrontCounts
from testbed.parts.part_counts import PartCounts
from testbed.results import front_counts, part_counts
from testbed.results.findings import Findings, Seen
from testbed.results.nested import at
from testbed.sums import total


def _box_of(
    seen: Seen,
    window_s: float | None,
    front: FrontCounts | None,
    stood: tuple[PartCounts, PartCounts] | None,
) -> Box:
    """A measured service as the verdict and the record have it, over a window of that length. `front`, `stood`: what it
    has counted itself, where it is a front or a sidecar, or stands behind the servers."""
    probe = seen.probe
    # A control group and a network namespace of its own begin at zero, so what they have counted is what grew.
    grown = at(probe, "closed") if seen.joined else at(probe, "difference")
    return Box(
        name=seen.name,
        role=seen.role,
        cpu_limit=seen.limits.usable_cpus,
        memory_limit_bytes=seen.limits.memory_bytes,
        tasks_limit=seen.limits.tasks,
        window_s=window_s,
        cpu_used_s=_seconds(at(grown, "cpu_used_us")),
        periods=at(grown, "periods"),
        throttled_periods=at(grown, "throttled_periods"),
        throttled_s=_seconds(at(grown, "throttled_us")),
        steal_share=steal.share(probe, steal.processors(seen.limits)),
        memory_peak_bytes=at(probe, "closed", "memory_peak_bytes"),
        pss_bytes=at(probe, "closed", "pss_bytes"),
        oom_kills=at(probe, "closed", "oom_kills"),
        processes=at(probe, "closed", "processes"),
        tasks_max=at(probe, "max", "pids"),
        voluntary_switches=at(grown, "voluntary_switches"),
        involuntary_switches=at(grown, "involuntary_switches"),
        accept_queue_max=at(probe, "max", "accept_queue"),
        listen_overflows=at(grown, "listen_overflows"),
        watching_cpu_share=at(probe, "own_cost", "share_of_core"),
        served=at(seen.report, "served"),
        workers_replaced=at(seen.report, "replaced"),
        said=seen.said,
        ended=seen.ended,
        joined=seen.joined,
        # One that was asked to crash and has ended has done what it was asked.
        removed=seen.removed or seen.killed or bool(seen.crashes and seen.ended),
        crashes=len(seen.crashes),
        oom_asked=seen.crashes.count("oom"),
        **_own_counts(seen, front, stood),
    )


def _own_counts(seen: Seen, front: FrontCounts | None, stood: tuple[PartCounts, PartCounts] | None) -> dict[str, Any]:
    match seen.role:
        case "front":
            return front_counts.of_box(front)
        case "sidecar":
            return front_counts.of_sidecar(front)
        case "store" | "broker" | "consumer":
            return part_counts.of_box(stood)
        case _:
            return {"connections": _taken(seen.report)}


def _taken(report: dict[str, Any] | None) -> int | None:
    """Connections: one that a server turns away it has taken from its queue too."""
    return total((at(report, "accepted"), at(report, "refused")))


def measured(found: Findings) -> list[Box]:
    window_s = at(found.load, "window", "duration_s")

    def counts(seen: Seen) -> FrontCounts | None:
        return (found.fronts if seen.role == "front" else found.sidecars).get(seen.name)

    every = [_box_of(seen, window_s, counts(seen), found.stood.get(seen.name)) for seen in found.boxes]
    if not any(box.role == "sidecar" for box in every):
        return every
    # They are of a network namespace, in which a server and its sidecar both listen.
    return [replace(box, listen_overflows=None) if box.role in ("server", "sidecar") else box for box in every]


def _seconds(us: int | None) -> float | None:
    return None if us is None else us / 1e6
