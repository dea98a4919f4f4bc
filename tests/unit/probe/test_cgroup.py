"""Counters of both control group versions come out in the same units; what is not there is None with a reason."""

import dataclasses
from pathlib import Path

import pytest

from probe import cgroup
from tests.unit.probe.trees import v1_proc, v2_proc, write

EXPECTED = cgroup.Counters(
    cpu_used_us=5_120_123,
    user_us=4_000_000,
    system_us=1_120_000,
    periods=205,
    throttled_periods=160,
    throttled_us=9_876_543,
    memory_now_bytes=12_582_912,
    memory_peak_bytes=14_680_064,
    memory_anon_bytes=8_388_608,
    memory_kernel_bytes=1_048_576,
    oom_kills=3,
    pids=17,
    psi=None,
)
PSI = {
    "cpu_some_us": 123_456,
    "cpu_full_us": 789,
    "memory_some_us": 5,
    "memory_full_us": 4,
    "io_some_us": 0,
    "io_full_us": 0,
}


def test_version_1_is_read_in_microseconds_and_bytes_and_says_that_it_has_no_pressure(tmp_path: Path) -> None:
    group = cgroup.find(v1_proc(tmp_path))
    assert group.version == 1
    assert group.read() == EXPECTED
    assert group.unavailable == {"psi": "control groups of version 1 do not have it"}


def test_version_2_gives_the_same_numbers_and_pressure_besides(tmp_path: Path) -> None:
    group = cgroup.find(v2_proc(tmp_path))
    assert group.version == 2
    assert group.read() == dataclasses.replace(EXPECTED, psi=PSI)
    assert group.unavailable == {}


def test_the_limits_in_force_are_read_from_both_versions(tmp_path: Path) -> None:
    expected = cgroup.Limits(cpus=0.5, cpuset="0-1", memory_bytes=134_217_728)
    assert cgroup.find(v1_proc(tmp_path / "1")).limits() == expected
    assert cgroup.find(v2_proc(tmp_path / "2")).limits() == expected


@pytest.mark.parametrize(
    ("version", "texts"),
    [
        (1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}),
        (1, {"memory/memory.limit_in_bytes": "9223372036854771712"}),
        (2, {"cpu.max": "max 100000", "memory.max": "max"}),
        (2, {}),
    ],
)
def test_no_limit_is_none_in_whatever_way_the_kernel_writes_it(version: int, texts: dict[str, str]) -> None:
    assert cgroup.parse_limits(version, texts) == cgroup.Limits(None, None, None)


def test_an_older_kernel_without_a_peak_says_unknown_and_why_not_zero(tmp_path: Path) -> None:
    group = cgroup.find(v2_proc(tmp_path))
    (tmp_path / "1/root/sys/fs/cgroup/memory.peak").unlink()
    assert group.read().memory_peak_bytes is None
    assert group.unavailable == {"memory_peak_bytes": "memory.peak: No such file or directory"}


def test_a_group_without_the_cpu_controller_has_no_throttling_rather_than_none_of_it(tmp_path: Path) -> None:
    group = cgroup.find(v2_proc(tmp_path))
    write(tmp_path / "1/root/sys/fs/cgroup", {"cpu.stat": "usage_usec 7\nuser_usec 4\nsystem_usec 3\n"})
    found = group.read()
    assert (found.cpu_used_us, found.throttled_us) == (7, None)
    assert group.unavailable["throttled_us"] == "cpu.stat: the kernel does not tell it there"


def test_a_container_that_shares_the_hosts_namespace_is_found_under_its_path(tmp_path: Path) -> None:
    write(tmp_path, {"1/cgroup": "0::/docker/abc\n"})
    host = write(tmp_path / "1/root/sys/fs/cgroup", {"cgroup.controllers": "cpu\n", "cpu.stat": "usage_usec 999\n"})
    write(host / "docker/abc", {"cgroup.type": "domain\n", "cpu.stat": "usage_usec 7\n"})
    assert cgroup.find(tmp_path).read().cpu_used_us == 7


def test_the_machines_own_group_is_never_taken_for_a_container(tmp_path: Path) -> None:
    for version, mark in ((v1_proc(tmp_path / "1"), "cpu/release_agent"), (v2_proc(tmp_path / "2"), None)):
        root = version / "1/root/sys/fs/cgroup"
        if mark:
            write(root, {mark: "\n"})
        else:
            (root / "cgroup.type").unlink()
        with pytest.raises(FileNotFoundError, match="root control group"):
            cgroup.find(version)
