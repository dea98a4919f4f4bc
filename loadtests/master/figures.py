"""The rows of the Server tab: what the probes tell of the containers that a run loads, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtests.master.samples import Line, Told

Row = dict[str, str]

COLUMNS = {"what": "Server", "now": "Now", "meaning": "What it is"}

_ABSENT = "-"


@dataclass(frozen=True)
class Shown:
    """One container in the tab, and what is known of it."""

    name: str
    told: Told | None
    start_probe: str
    """The command that starts one beside it."""
    is_target: bool = True
    """Whether the load goes to it itself; else a front hands it on."""


def table(shown: Sequence[Shown]) -> list[Row]:
    """The rows of the Server tab: of each container what is known of it, and what it means.

    Figures of several are never put together, but for the CPU they use: that is known once it is of each of them.
    """
    together = [_together(shown)] if len(shown) > 1 else []
    return [*together, *(row for one in shown for row in _block(one))]


def _together(shown: Sequence[Shown]) -> Row:
    lacking = sum(one.told is None for one in shown)
    used = [None if one.told is None else _per_second(one.told.lines, "cpu_used_us") for one in shown]
    known = [one for one in used if one is not None]
    cores = f"{sum(known) / 1e6:.2f} cores used" if len(known) == len(shown) else "cores used: not known"
    without = f", {lacking} without a probe" if lacking else ""
    return {"what": f"{len(shown)} containers", "now": cores, "meaning": f"in all; below, each by itself{without}"}


def _block(shown: Shown) -> list[Row]:
    """What is dear to read is not in every line, and shown as it was last read."""
    if shown.told is None:
        help_text = f"no probe tells of it; to start one: {shown.start_probe}"
        return [{"what": shown.name, "now": _ABSENT, "meaning": help_text}]
    lines, line = shown.told.lines, shown.told.lines[-1]
    level = {name: value for one in lines for name, value in one.items()}
    limits = line.get("limits") or {}
    what = "the target of the run" if shown.is_target else "behind the target of the run"
    rows = [
        (shown.name, f"{shown.told.age_s:.0f} s ago", f"{what}, and the age of these figures"),
        ("CPU", _cpu(lines, limits), "cores used, of its limit"),
        ("throttled", _throttled(line), "share of the quota periods in which it was stopped"),
        ("memory", _memory(line.get("memory_now_bytes"), limits), "charged to its control group, of its limit"),
        ("PSS", _mib(level.get("pss_bytes")), "proportional set size of all its processes"),
        ("processes", _count(level.get("processes")), "made by fork, and the first one"),
        ("threads", _count(level.get("threads")), "of all processes together, main threads included"),
        (
            "voluntary switches",
            _of_tasks(lines, "voluntary_switches"),
            "gave up the CPU; by all tasks, ended ones too",
        ),
        ("involuntary switches", _of_tasks(lines, "involuntary_switches"), "was preempted; likewise"),
        ("connections", _count(line.get("established")), "established, accepted or still queued"),
        ("accept queue", _count(level.get("accept_queue")), "connections that wait for accept()"),
        ("overflows", _rate(lines, "listen_overflows"), "connections dropped because that queue was full"),
    ]
    return [{"what": what, "now": now, "meaning": meaning} for what, now, meaning in rows]


def held(now: int | None, wanted: int) -> Row:
    """The row that says how many idle holders there are."""
    count = f"{_count(now)} of {wanted:,}"
    return {"what": "idle holders", "now": count, "meaning": "held beside the users, as the load workers count them"}


def _count(value: Any) -> str:
    return _ABSENT if value is None else f"{value:,}"


def _mib(value: Any) -> str:
    return _ABSENT if value is None else f"{value / 2**20:.1f} MiB"


def _memory(value: Any, limits: Mapping[str, Any]) -> str:
    limit = limits.get("memory_bytes")
    return _mib(value) + (f" of {limit / 2**20:.0f}" if limit and value is not None else "")


def _grown(line: Line, name: str) -> Any:
    return line.get(f"{name}_since_last")


def _per_second(lines: Sequence[Line], name: str, read_with: str = "unix") -> float | None:
    """What a counter last grew by in a second: it is read with another figure, in every line that has that one."""
    having = [line for line in lines if read_with in line][-2:]
    if len(having) < 2 or (grown := _grown(having[-1], name)) is None:
        return None
    seconds = having[-1]["unix"] - having[-2]["unix"]
    return float(grown / seconds) if seconds > 0 else None


def _cpu(lines: Sequence[Line], limits: Mapping[str, Any]) -> str:
    used_us = _per_second(lines, "cpu_used_us")
    if used_us is None:
        return _ABSENT
    limit = limits.get("cpus")
    return f"{used_us / 1e6:.2f}" + (f" of {limit:g}" if limit else "")


def _throttled(line: Line) -> str:
    stopped, periods = _grown(line, "throttled_periods"), _grown(line, "periods")
    if stopped is None or periods is None:
        return _ABSENT
    return f"{stopped / periods:.0%}" if periods else "0%"


def _of_tasks(lines: Sequence[Line], name: str) -> str:
    """Of a counter that is read with the threads: the probe leaves it out where it is not known of all of them."""
    having = [line for line in lines if "threads" in line]
    return "not known" if len(having) > 1 and _grown(having[-1], name) is None else _rate(lines, name, "threads")


def _rate(lines: Sequence[Line], name: str, read_with: str = "unix") -> str:
    rate = _per_second(lines, name, read_with)
    return _ABSENT if rate is None else f"{rate:,.0f} /s"
