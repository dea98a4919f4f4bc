"""A container's CPU and memory counters from the control group files, version 1 and version 2 alike.

Read from the host's side, so that reading costs the container nothing. Sources: the kernel's
admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Counters:
    """Counters since the container started. None means the kernel or engine does not tell, never zero."""

    cpu_used_us: int | None
    periods: int | None
    throttled_periods: int | None
    throttled_us: int | None
    memory_peak_bytes: int | None
    oom_kills: int | None


def version(root: Path = ROOT) -> int:
    """2 on a unified hierarchy, else 1."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def parse_membership(text: str) -> dict[str, str]:
    """Controller name to path from `/proc/PID/cgroup`; the unified hierarchy (`0::/path`) has the empty name."""
    paths: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _keyed(text: str) -> dict[str, int]:
    """`name value` lines, as in cpu.stat and memory.events."""
    return {
        name: int(value) for name, _, value in (line.partition(" ") for line in text.splitlines()) if value.isdigit()
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


@dataclass(frozen=True)
class ControlGroup:
    """The directories in which one container's counters stand: one on version 2, one per controller on version 1."""

    version: int
    cpu: Path
    cpuacct: Path
    memory: Path

    @classmethod
    def of(cls, membership: str, root: Path = ROOT) -> "ControlGroup | None":
        """From the text of `/proc/PID/cgroup`; None where it is out of sight: the engine is in another machine."""
        paths = parse_membership(membership)
        if version(root) == 2:
            directory = root / paths.get("", "/").lstrip("/")
            group = cls(2, directory, directory, directory)
        else:
            cpu, cpuacct, memory = (
                root / name / paths.get(name, "/").lstrip("/") for name in ("cpu", "cpuacct", "memory")
            )
            group = cls(1, cpu, cpuacct, memory)
        # The root group is the whole machine: no container's.
        in_sight = group.cpu not in (root, root / "cpu") and (group.cpu / "cpu.stat").exists()
        return group if in_sight else None

    def read(self) -> Counters:
        """The counters now. What cannot be read, for example because the container is gone, is None."""
        stat = _keyed(_read(self.cpu / "cpu.stat"))
        if self.version == 2:
            return Counters(
                cpu_used_us=stat.get("usage_usec"),
                periods=stat.get("nr_periods"),
                throttled_periods=stat.get("nr_throttled"),
                throttled_us=stat.get("throttled_usec"),
                memory_peak_bytes=_number(_read(self.memory / "memory.peak")),
                oom_kills=_keyed(_read(self.memory / "memory.events")).get("oom_kill"),
            )
        used_ns = _number(_read(self.cpuacct / "cpuacct.usage"))
        throttled_ns = stat.get("throttled_time")
        return Counters(
            cpu_used_us=None if used_ns is None else used_ns // 1000,
            periods=stat.get("nr_periods"),
            throttled_periods=stat.get("nr_throttled"),
            throttled_us=None if throttled_ns is None else throttled_ns // 1000,
            memory_peak_bytes=_number(_read(self.memory / "memory.max_usage_in_bytes")),
            oom_kills=_keyed(_read(self.memory / "memory.oom_control")).get("oom_kill"),
        )


def from_engine(stats: dict[str, dict[str, object]]) -> Counters:
    """The same counters from the engine's stats call, for engines whose files are out of sight. It knows fewer."""
    cpu = stats.get("cpu_stats", {})
    usage: object = cpu.get("cpu_usage", {})
    throttling: object = cpu.get("throttling_data", {})
    used = usage.get("total_usage") if isinstance(usage, dict) else None
    throttle = throttling if isinstance(throttling, dict) else {}
    peak = stats.get("memory_stats", {}).get("max_usage")
    throttled_ns = throttle.get("throttled_time")
    return Counters(
        cpu_used_us=None if used is None else int(used) // 1000,
        periods=throttle.get("periods"),
        throttled_periods=throttle.get("throttled_periods"),
        throttled_us=None if throttled_ns is None else int(throttled_ns) // 1000,
        memory_peak_bytes=peak if isinstance(peak, int) else None,
        oom_kills=None,
    )


def difference(before: int | None, after: int | None) -> int | None:
    """What a counter grew by between two readings; None where either is not known."""
    return None if before is None or after is None else after - before
