from pathlib import Path

import pytest

from servers.cpus import cpu_limit, default_workers

UNLIMITED_V1 = {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}


def cgroup(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "250000 100000\n"}, 2.5),
        ({"cpu.max": "max 100000\n"}, 4.0),
        ({"cpu.max": "800000 100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.25),
        ({"cpu,cpuacct/cpu.cfs_quota_us": "150000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 1.5),
        (UNLIMITED_V1, 4.0),
        ({}, 4.0),
        ({"cpu.max": "\n"}, 4.0),
        ({"cpu.max": "garbage garbage\n"}, 4.0),
        ({"cpu.max": "100000 0\n"}, 4.0),
    ],
    ids=[
        "v2 half",
        "v2",
        "v2 max",
        "v2 above affinity",
        "v1",
        "v1 joint",
        "v1 none",
        "no cgroup",
        "empty",
        "text",
        "0",
    ],
)
def test_limit_is_the_smaller_of_quota_and_affinity(tmp_path: Path, files: dict[str, str], cpus: float) -> None:
    assert cpu_limit(cgroup(tmp_path, files), affinity_cpus=4) == cpus


@pytest.mark.parametrize(("cpus", "workers"), [(0.1, 2), (2.0, 2), (2.01, 3), (64.0, 64)])
def test_workers_can_use_the_whole_limit(cpus: float, workers: int) -> None:
    assert default_workers(cpus) == workers
