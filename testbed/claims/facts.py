"""What predicates ask of a trial besides its columns: from its record, from what its probe saw, and second by second.

None is "not known"; what is not known of one second is not known of the sum.
"""

import math
from typing import Any

from testbed.claims.claim import Row
from testbed.report.derive import exit_workers
from testbed.report.figures_server import fairness, worker_shares
from testbed.report.moving import seconds_of
from testbed.report.readings import TRIGGERS, readings
from testbed.report.source import Results
from testbed.report.timeline import Timeline, objective_us, timeline
from testbed.results.boxes import boxes, servers
from testbed.scaling.assess import Objective, assess, first_broken, holds, rank_triggers

# Of a new limit, used from the second on in which a server that wants more is said to use it.
FOLLOWED = 0.9

FACTS: dict[str, str] = {
    "rss_bytes": "resident set sizes of all its processes at the window's end, added up",
    "broker_cpu_s": "CPU time of the broker in the window, without its consumers",
    "jain_served": "Jain's index of what each worker process has served over its life; 1 is even",
    "joined": "replicas that were started while the load was on",
    "quota_followed_s": "seconds from the last change of the CPU limit to the first whole second that used 90 % of it; "
    "to the end of the last one where none did",
    "violation_s": "seconds of the window in which the objective was broken",
    "cpu_reserved_s": "CPU-seconds of all that scales",
    "broken_at_s": "the second in which the objective was first broken",
    **{f"lead_{one.name}_s": f"seconds from {one.title} firing until the objective broke" for one in TRIGGERS},
    **{f"fired_{one.name}": f"whether {one.title} fired in the window" for one in TRIGGERS},
    **{f"alarms_{one.name}": f"how often {one.title} fired in the window" for one in TRIGGERS},
}


def rows_of(results: Results) -> list[dict[str, Any]]:
    """The rows of a sweep, each with its facts."""
    return [row | told(results, row) for row in results.rows]


def told(results: Results, row: Row) -> dict[str, Any]:
    """All facts of one trial."""
    record = results.file(row["trial_id"], "trial.json") or {}
    seen = timeline(results, dict(row))
    closed = (results.file(row["trial_id"], "probe.json") or {}).get("closed") or {}
    found: dict[str, Any] = dict.fromkeys(FACTS)
    found["rss_bytes"] = closed.get("rss_bytes")
    found["broker_cpu_s"] = next((box.get("cpu_used_s") for box in boxes(record) if box.get("role") == "broker"), None)
    shares = worker_shares(exit_workers(results, dict(row)))
    found["jain_served"] = fairness(shares) if shares else None
    found["joined"] = sum(bool(box.get("joined")) for box in servers(record)) if record.get("boxes") else None
    if seen is None:
        return found
    found["quota_followed_s"] = quota_followed_s(seen)
    objective = objective_us(results)
    return found | (_of_objective(results, row, seen, objective) if objective is not None else {})


def quota_followed_s(seen: Timeline) -> float | None:
    """None where no limit changed, and where it is not known what was used; never below 0."""
    changes = [(level[0], level[2]) for level in seen.levels if not math.isinf(level[0])]
    if not changes:
        return None
    at, cpus = changes[-1]
    for start, used in zip(seen.starts, seen.used_cpus, strict=True):
        if start < math.floor(at):
            continue
        if used is None:
            return None
        if used >= FOLLOWED * cpus:
            return max(0.0, start - at)
    return seen.starts[-1] + seen.lengths[-1] - at


def _of_objective(results: Results, row: Row, seen: Timeline, objective: float) -> dict[str, Any]:
    seconds, wanted = seconds_of(seen, objective), Objective(objective)
    held = [holds(one, wanted) for one in seconds]
    sums = assess(seconds, wanted, [0], 0)
    read = readings(results, dict(row), seen, objective)
    triggers = [one.trigger for one in TRIGGERS]
    # The same trial as a ramp and as a steady load: which of the two it was, the predicate knows.
    ranked = rank_triggers(triggers, read.__getitem__, held, read.__getitem__)
    return {
        "violation_s": sums.violation_s,
        "cpu_reserved_s": sums.cpu_reserved_s,
        "broken_at_s": first_broken(held),
        **{f"lead_{one.name}_s": one.lead_s for one in ranked},
        **{f"fired_{one.name}": one.fired for one in ranked},
        **{f"alarms_{one.name}": one.false_alarms for one in ranked},
    }
