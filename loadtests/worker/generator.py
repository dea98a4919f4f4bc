"""What driving the load cost a worker: its CPU time, and whether its container was throttled.

A container sees its own control group at /sys/fs/cgroup. What the kernel does not tell is None, never zero.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Throttling:
    """Since the container started: scheduler periods, those in which it was held up; and its limit in CPUs."""

    periods: int | None
    throttled_periods: int | None
    cpu_limit: float | None


def read_throttling(root: Path = CGROUP_ROOT) -> Throttling:
    """From control groups version 2 or 1 (admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst of the kernel)."""
    for directory in (root, root / "cpu", root / "cpu,cpuacct"):
        words = _read(directory / "cpu.stat").split()
        stat = dict(zip(words[::2], words[1::2], strict=False))
        if "nr_periods" in stat:
            return Throttling(int(stat["nr_periods"]), int(stat["nr_throttled"]), _limit(directory))
    return Throttling(None, None, None)


def _limit(directory: Path) -> float | None:
    quota, period = (*_read(directory / "cpu.max").split(), "", "")[:2]
    if not quota:
        quota, period = (_read(directory / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    # "max" (version 2) and "-1" (version 1) both say that there is no limit. Servers and probe read it in the same way:
    # the images have no code in common, so tests/unit/test_quota.py holds the three together.
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


@dataclass(frozen=True)
class Reading:
    at: float
    cpu_s: float
    gc_s: float
    throttling: Throttling
    spun_s: float = 0.0


class CollectorClock:
    """Time this process has spent in its garbage collector, which stops every user."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._began = 0.0
        gc.callbacks.append(self._tick)

    def _tick(self, phase: str, _info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.spent_s += time.perf_counter() - self._began


def read(collector: CollectorClock, spun_s: float = 0.0) -> Reading:
    """`spun_s`: how long the engine has spun so far, which takes CPU time without being work."""
    return Reading(time.perf_counter(), time.process_time(), collector.spent_s, read_throttling(), spun_s)


def spent(worker: str, before: Reading, after: Reading) -> dict[str, Any]:
    """What the time between two readings cost; an entry of the result file.

    `cpu_share` is of one core and of work alone: without what was spun, which a busy engine would not.
    """
    window_s, cpu_used_s = after.at - before.at, after.cpu_s - before.cpu_s
    spun_s = min(after.spun_s - before.spun_s, cpu_used_s)
    return {
        "worker": worker,
        "window_s": round(window_s, 6),
        "cpu_used_s": round(cpu_used_s, 6),
        "cpu_spun_s": round(spun_s, 6),
        "cpu_share": round((cpu_used_s - spun_s) / window_s, 4) if window_s > 0 else None,
        "cpu_limit": after.throttling.cpu_limit,
        "periods": _difference(before.throttling.periods, after.throttling.periods),
        "throttled_periods": _difference(before.throttling.throttled_periods, after.throttling.throttled_periods),
        "gc_s": round(after.gc_s - before.gc_s, 6),
    }


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before
