"""The server's CPU, memory and task counters from its control group, version 1 and version 2 alike.

The server's own view of its group is read, through `/proc/PID/root/sys/fs/cgroup` of its first process. Sources: the
kernel's admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst and accounting/psi.rst.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from probe.files import KeptFile, why

# cpuacct.stat counts in clock ticks: 10 ms on every common kernel.
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters since the group was made, and levels now. None: not available here, never zero."""

    cpu_used_us: int | None
    user_us: int | None
    system_us: int | None
    periods: int | None
    throttled_periods: int | None
    throttled_us: int | None
    memory_now_bytes: int | None
    memory_peak_bytes: int | None  # since the group was made, not since the window opened
    memory_anon_bytes: int | None
    memory_kernel_bytes: int | None
    oom_kills: int | None
    pids: int | None  # tasks: every thread counts
    psi: dict[str, int] | None  # e.g. cpu_some_us: time in which at least one task waited for a CPU


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force. None: none set, or not available."""

    cpus: float | None
    cpuset: str | None
    memory_bytes: int | None


NAMES = tuple(field.name for field in fields(Counters))

# Which file each counter is in; a counter without a line is not in that version. On version 1 the first directory is
# the controller's.
SOURCES: dict[int, dict[str, str]] = {
    1: {
        "cpu_used_us": "cpuacct/cpuacct.usage",
        "user_us": "cpuacct/cpuacct.stat",
        "system_us": "cpuacct/cpuacct.stat",
        "periods": "cpu/cpu.stat",
        "throttled_periods": "cpu/cpu.stat",
        "throttled_us": "cpu/cpu.stat",
        "memory_now_bytes": "memory/memory.usage_in_bytes",
        "memory_peak_bytes": "memory/memory.max_usage_in_bytes",
        "memory_anon_bytes": "memory/memory.stat",
        "memory_kernel_bytes": "memory/memory.kmem.usage_in_bytes",
        "oom_kills": "memory/memory.oom_control",
        "pids": "pids/pids.current",
    },
    2: {
        "cpu_used_us": "cpu.stat",
        "user_us": "cpu.stat",
        "system_us": "cpu.stat",
        "periods": "cpu.stat",
        "throttled_periods": "cpu.stat",
        "throttled_us": "cpu.stat",
        "memory_now_bytes": "memory.current",
        "memory_peak_bytes": "memory.peak",
        "memory_anon_bytes": "memory.stat",
        "memory_kernel_bytes": "memory.stat",
        "oom_kills": "memory.events",
        "pids": "pids.current",
        "psi": "cpu.pressure",
    },
}
_PSI = ("cpu", "memory", "io")
_PSI_FILES = tuple(f"{resource}.pressure" for resource in _PSI)
_LIMIT_FILES: dict[int, tuple[str, ...]] = {
    1: ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us", "cpuset/cpuset.cpus", "memory/memory.limit_in_bytes"),
    2: ("cpu.max", "cpuset.cpus.effective", "memory.max"),
}
# Version 1 writes "no limit" as the largest whole number of pages; no machine has a thousandth of that.
_NO_MEMORY_LIMIT = 2**53


def _keyed(text: str) -> dict[str, int]:
    """`name value` lines, as in cpu.stat and memory.events."""
    return {
        name: int(value) for name, _, value in (line.partition(" ") for line in text.splitlines()) if value.isdigit()
    }


def _number(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _scaled(value: int | None, multiply: int, divide: int = 1) -> int | None:
    return None if value is None else value * multiply // divide


def parse_membership(text: str) -> dict[str, tuple[str, str]]:
    """Controller to (controllers of its hierarchy, path) from `/proc/PID/cgroup`; "" is the unified hierarchy."""
    paths: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = (controllers, path)
    return paths


def parse_pressure(texts: Mapping[str, str]) -> dict[str, int] | None:
    """Microseconds of waiting in total, `cpu_some_us` to `io_full_us`; None where no pressure file is there."""
    found: dict[str, int] = {}
    for resource in _PSI:
        for line in texts.get(f"{resource}.pressure", "").splitlines():
            kind, _, rest = line.partition(" ")
            total = rest.rpartition("total=")[2]
            if kind in ("some", "full") and total.isdigit():
                found[f"{resource}_{kind}_us"] = int(total)
    return found or None


def parse_counters(version: int, texts: Mapping[str, str]) -> Counters:
    """The counters from the contents of their files; a file that cannot be read is not in `texts`."""
    if version == 2:
        cpu, memory = _keyed(texts.get("cpu.stat", "")), _keyed(texts.get("memory.stat", ""))
        return Counters(
            cpu_used_us=cpu.get("usage_usec"),
            user_us=cpu.get("user_usec"),
            system_us=cpu.get("system_usec"),
            periods=cpu.get("nr_periods"),
            throttled_periods=cpu.get("nr_throttled"),
            throttled_us=cpu.get("throttled_usec"),
            memory_now_bytes=_number(texts.get("memory.current", "")),
            memory_peak_bytes=_number(texts.get("memory.peak", "")),
            memory_anon_bytes=memory.get("anon"),
            memory_kernel_bytes=memory.get("kernel"),
            oom_kills=_keyed(texts.get("memory.events", "")).get("oom_kill"),
            pids=_number(texts.get("pids.current", "")),
            psi=parse_pressure(texts),
        )
    cpu, ticks = _keyed(texts.get("cpu/cpu.stat", "")), _keyed(texts.get("cpuacct/cpuacct.stat", ""))
    return Counters(
        cpu_used_us=_scaled(_number(texts.get("cpuacct/cpuacct.usage", "")), 1, 1000),
        user_us=_scaled(ticks.get("user"), _TICK_US),
        system_us=_scaled(ticks.get("system"), _TICK_US),
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        throttled_us=_scaled(cpu.get("throttled_time"), 1, 1000),
        memory_now_bytes=_number(texts.get("memory/memory.usage_in_bytes", "")),
        memory_peak_bytes=_number(texts.get("memory/memory.max_usage_in_bytes", "")),
        memory_anon_bytes=_keyed(texts.get("memory/memory.stat", "")).get("rss"),
        memory_kernel_bytes=_number(texts.get("memory/memory.kmem.usage_in_bytes", "")),
        oom_kills=_keyed(texts.get("memory/memory.oom_control", "")).get("oom_kill"),
        pids=_number(texts.get("pids/pids.current", "")),
        psi=None,
    )


def _ratio(quota: str, period: str) -> float | None:
    # "max" and "-1" both say that there is none. Servers and load workers read their own in the same way: the images
    # have no code in common, so tests/unit/test_quota.py holds the three together.
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def parse_limits(version: int, texts: Mapping[str, str]) -> Limits:
    if version == 2:
        quota, period = (*texts.get("cpu.max", "").split(), "", "")[:2]
        cpuset, memory = texts.get("cpuset.cpus.effective", ""), texts.get("memory.max", "")
    else:
        quota, period = (texts.get(f"cpu/cpu.cfs_{name}_us", "").strip() for name in ("quota", "period"))
        cpuset, memory = texts.get("cpuset/cpuset.cpus", ""), texts.get("memory/memory.limit_in_bytes", "")
    limit_bytes = _number(memory)
    return Limits(
        cpus=_ratio(quota, period),
        cpuset=cpuset.strip() or None,
        memory_bytes=None if limit_bytes is None or limit_bytes >= _NO_MEMORY_LIMIT else limit_bytes,
    )


def missing(version: int, counters: Counters, errors: Mapping[str, str]) -> dict[str, str]:
    """Why each counter that is None is not available. `errors` has the reason for each file that was not read."""
    reasons: dict[str, str] = {}
    for name in NAMES:
        if getattr(counters, name) is not None:
            continue
        source = SOURCES[version].get(name)
        if source is None:
            reasons[name] = f"control groups of version {version} do not have it"
        else:
            reasons[name] = f"{source}: {errors.get(source, 'the kernel does not tell it there')}"
    return reasons


NOTHING = Counters(**dict.fromkeys(NAMES))


class ControlGroup:
    """One container's control group, its files kept open."""

    def __init__(self, version: int, directories: Mapping[str, Path]) -> None:
        """`directories`: by controller on version 1; on version 2 the one under the name ""."""
        self.version = version
        self._directories = directories
        names = dict.fromkeys((*SOURCES[version].values(), *(_PSI_FILES if version == 2 else ())))
        self._files = {name: KeptFile(self._path(name)) for name in names}
        self.unavailable: dict[str, str] = {}

    def _path(self, name: str) -> Path:
        if self.version == 2:
            return self._directories[""] / name
        controller, _, file = name.partition("/")
        return self._directories.get(controller, Path("/nonexistent")) / file

    def read(self) -> Counters:
        """The counters now. Why one of them is None stands in `unavailable` afterwards."""
        texts: dict[str, str] = {}
        errors: dict[str, str] = {}
        for name, file in self._files.items():
            try:
                texts[name] = file.read().decode()
            except OSError as error:
                errors[name] = why(error)
        counters = parse_counters(self.version, texts)
        self.unavailable = missing(self.version, counters, errors)
        return counters

    def limits(self) -> Limits:
        texts: dict[str, str] = {}
        for name in _LIMIT_FILES[self.version]:
            try:
                texts[name] = self._path(name).read_text()
            except OSError:
                continue
        return parse_limits(self.version, texts)


def find(proc: Path, first: int = 1) -> ControlGroup:
    """The control group of the first process. OSError where it cannot be seen, or is the whole machine's."""
    root = proc / f"{first}/root/sys/fs/cgroup"
    os.stat(root)  # noqa: PTH116 - Path.exists() would hide that it is there and may not be seen
    membership = parse_membership((proc / f"{first}/cgroup").read_text())
    if (root / "cgroup.controllers").exists():
        # A container with a control group namespace of its own has its group at the root, and a path there that leads
        # out of the reader's namespace ("/../abc"); one that shares the host's has its group under its path.
        path = membership.get("", ("", "/"))[1]
        inner = root / path.lstrip("/")
        directory = inner if ".." not in path and (inner / "cpu.stat").exists() else root
        if not (directory / "cgroup.type").exists():
            raise FileNotFoundError(2, f"PID {first} is in the machine's root control group, not in a container's")
        return ControlGroup(2, {"": directory})
    directories: dict[str, Path] = {}
    for controller in ("cpu", "cpuacct", "cpuset", "memory", "pids"):
        controllers, path = membership.get(controller, (controller, "/"))
        mounts = [mount for name in (controller, controllers) if (mount := root / name).exists()]
        for mount in mounts[:1]:
            inner = mount / path.lstrip("/")
            directories[controller] = inner if (inner / "cgroup.procs").exists() else mount
    if not directories or any((directory / "release_agent").exists() for directory in directories.values()):
        raise FileNotFoundError(2, f"PID {first} is in the machine's root control group, not in a container's")
    return ControlGroup(1, directories)
