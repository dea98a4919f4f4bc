"""How many CPUs this process may use: the container's own limit, never the host's core count."""

import math
import os

CGROUP_ROOT = "/sys/fs/cgroup"


def cpu_limit(cgroup_root: str | os.PathLike[str], affinity_cpus: int) -> float:
    """CPUs this process may use at once: the smaller of its cgroup quota (v2 or v1) and its CPU affinity.

    A container sees its own cgroup at ``cgroup_root``. Files that are missing or unreadable mean "no quota".
    """
    quotas = [
        _quota_v2(f"{os.fspath(cgroup_root)}/cpu.max"),
        _quota_v1(f"{os.fspath(cgroup_root)}/cpu"),
        _quota_v1(f"{os.fspath(cgroup_root)}/cpu,cpuacct"),
    ]
    return min([float(affinity_cpus), *(quota for quota in quotas if quota is not None)])


def default_workers(cpus: float) -> int:
    """Workers for a CPU limit: enough to use all of it, and at least two, since one worker is no pool."""
    return max(2, math.ceil(cpus))


def own_cpu_limit() -> float:
    return cpu_limit(CGROUP_ROOT, len(os.sched_getaffinity(0)))


def _quota_v2(cpu_max: str) -> float | None:
    quota, period = (*_words(cpu_max), "", "")[:2]
    return _ratio(quota, period)


def _quota_v1(controller: str) -> float | None:
    quota = "".join(_words(f"{controller}/cpu.cfs_quota_us"))
    period = "".join(_words(f"{controller}/cpu.cfs_period_us"))
    return _ratio(quota, period)


def _ratio(quota: str, period: str) -> float | None:
    # "max" (v2) and "-1" (v1) both say "no quota", and neither is all digits. Probe and load workers read it in the
    # same way: the images have no code in common, so tests/unit/test_quota.py holds the three together.
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def _words(path: str) -> list[str]:
    # Not pathlib, which imports what every fork would copy.
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123
            return file.read().split()
    except (OSError, UnicodeDecodeError):
        return []
