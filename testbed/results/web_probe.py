"""What a probe's lines of a second each say of the window of a run from the web page. Pure."""

from typing import Any

Record = dict[str, Any]

_OF_TASKS = ("voluntary_switches", "involuntary_switches")
_COUNTERS = (
    *("cpu_used_us", "periods", "throttled_periods", "throttled_us", "listen_overflows", "oom_kills"),
    *_OF_TASKS,
)
_LEVELS = ("memory_now_bytes", "accept_queue", "processes", "threads", "established", "pss_bytes", "memory_peak_bytes")
# Less of the window than this the lines of a second each must not stand for.
_LEAST_COVERED = 0.5


def probe_summary(window: Record, lines: list[Record]) -> Record | None:
    """What the probe's lines say of the window, in the form of a sweep's probe.json. None without lines enough.

    Lines come once a second whenever the window opens, so what they cover is scaled to it: off by a second's use at
    most. Growth is that since the line before; the first line in the window has part of its growth from before it.
    """
    places = [n for n, one in enumerate(lines) if n and window["opens_unix"] <= one["unix"] <= window["closes_unix"]]
    if not places:
        return None
    inside = [lines[n] for n in places]
    covered_s = inside[-1]["unix"] - lines[places[0] - 1]["unix"]
    if covered_s <= 0 or covered_s < _LEAST_COVERED * window["duration_s"]:
        return None
    scale = window["duration_s"] / covered_s
    grown: Record = {}
    for name in _COUNTERS:
        values = [one[f"{name}_since_last"] for one in inside if f"{name}_since_last" in one]
        grown[name] = round(sum(values) * scale) if values and _is_whole(name, inside) else None
    levels = {name: [one[name] for one in inside if one.get(name) is not None] for name in _LEVELS}
    last = {name: values[-1] if values else None for name, values in levels.items()}
    # Kills are counted one by one, and never estimated.
    last["oom_kills"] = grown["oom_kills"] and sum(one.get("oom_kills_since_last", 0) for one in lines)
    return {
        "schema_version": 1,
        "by_hand": True,
        "difference": {"duration_s": window["duration_s"], **grown},
        "closed": last,
        "max": {name: max(values) if values else None for name, values in levels.items()},
    }


def _is_whole(name: str, lines: list[Record]) -> bool:
    """Whether each line that could tell it does: the rest would be a part of the growth."""
    if name not in _OF_TASKS:
        return True
    # Lines of schema 1 told that of the tasks alive alone.
    return all(one.get("schema_version", 1) >= 2 and f"{name}_since_last" in one for one in lines if "threads" in one)
