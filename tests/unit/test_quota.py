"""A CPU quota reads the same inside of every container, whose code has nothing in common, as it was given to Docker."""

from pathlib import Path

import pytest

from loadtests.worker.generator import read_throttling
from probe.cgroup import parse_limits
from servers.cpus import cpu_limit
from testbed.watch.beside import cpu_quota

STAT = "nr_periods 0\nnr_throttled 0\n"
MANY = 64

# What the files of version 2 and of version 1 say, and how many CPUs that is.
QUOTAS: list[tuple[str, str, float | None]] = [
    ("50000 100000\n", "50000\n", 0.5),
    ("250000 100000\n", "250000\n", 2.5),
    ("5000 100000", "5000", 0.05),
    ("max 100000\n", "-1\n", None),
    ("0 100000\n", "0\n", None),
    ("garbage 100000\n", "garbage\n", None),
    ("\u00b2 100000\n", "\u00b2\n", None),
    ("", "", None),
]


def of_server(root: Path) -> float | None:
    found = cpu_limit(root, MANY)
    return None if found == MANY else found


@pytest.mark.parametrize(("text", "_", "cpus"), QUOTAS)
def test_of_version_2(tmp_path: Path, text: str, _: str, cpus: float | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    (tmp_path / "cpu.stat").write_text(STAT)
    assert of_server(tmp_path) == cpus
    assert read_throttling(tmp_path).cpu_limit == cpus
    assert parse_limits(2, {"cpu.max": text}).cpus == cpus


@pytest.mark.parametrize(("_", "text", "cpus"), QUOTAS)
def test_of_version_1(tmp_path: Path, _: str, text: str, cpus: float | None) -> None:
    files = {"cpu/cpu.cfs_quota_us": text, "cpu/cpu.cfs_period_us": "100000\n"}
    (tmp_path / "cpu").mkdir()
    for name, content in (files | {"cpu/cpu.stat": STAT}).items():
        (tmp_path / name).write_text(content)
    assert of_server(tmp_path) == cpus
    assert read_throttling(tmp_path).cpu_limit == cpus
    assert parse_limits(1, files).cpus == cpus


@pytest.mark.parametrize("quota", ["100000", "50000"])
def test_a_period_of_nothing_is_no_quota(tmp_path: Path, quota: str) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota} 0\n")
    (tmp_path / "cpu.stat").write_text(STAT)
    assert (of_server(tmp_path), read_throttling(tmp_path).cpu_limit) == (None, None)
    assert parse_limits(2, {"cpu.max": f"{quota} 0\n"}).cpus is None


@pytest.mark.parametrize(
    ("host", "cpus"),
    [
        ({"NanoCpus": 500_000_000, "CpuQuota": 0, "CpuPeriod": 0}, 0.5),
        ({"NanoCpus": 0, "CpuQuota": 25_000, "CpuPeriod": 50_000}, 0.5),
        ({"NanoCpus": 0, "CpuQuota": 50_000, "CpuPeriod": 0}, 0.5),
        ({"NanoCpus": 0, "CpuQuota": -1, "CpuPeriod": 0}, None),
        ({"NanoCpus": 0, "CpuQuota": 0, "CpuPeriod": 100_000}, None),
    ],
)
def test_as_docker_tells_of_it(host: dict[str, int], cpus: float | None) -> None:
    assert cpu_quota(host) == cpus
