"""The exit report: what a server has counted and used, as one line of JSON for whoever measures it."""

import resource
from collections.abc import Mapping, Sequence

from servers.counters import Totals

SCHEMA_VERSION = 1


def report_line(
    model: str,
    totals: Totals,
    workers: Sequence[dict[str, int]],
    duration_s: float,
    behind: Mapping[str, object] | None = None,
) -> str:
    """Counts in all, of each worker (pools: {"pid" or "thread", "accepted", "served"}), and getrusage of this process
    and of the children it has reaped; ``duration_s`` is since the server started; ``behind``: what was asked of what is
    behind the server, where there is something.
    """
    # Before the import, which reads files: that is a use of stopping, not of serving.
    usage = {
        "self": used(resource.getrusage(resource.RUSAGE_SELF)),
        "children": used(resource.getrusage(resource.RUSAGE_CHILDREN)),
    }
    import json  # here, because it is needed once, and what is imported at the start is copied by every fork

    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "model": model,
            **totals._asdict(),
            "workers": workers,
            "rusage": usage,
            "duration_s": round(duration_s, 6),
            **({} if behind is None else {"behind": behind}),
        }
    )


def used(usage: resource.struct_rusage) -> dict[str, float]:
    """The fields of getrusage(2) that Linux fills in, under names with units."""
    return {
        "user_s": usage.ru_utime,
        "system_s": usage.ru_stime,
        "max_rss_bytes": usage.ru_maxrss * 1024,  # of the largest child, where children are asked about
        "minor_faults": usage.ru_minflt,
        "major_faults": usage.ru_majflt,
        "voluntary_switches": usage.ru_nvcsw,
        "involuntary_switches": usage.ru_nivcsw,
    }
