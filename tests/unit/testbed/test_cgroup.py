"""Counters of both control group versions come out in the same units; what is not there is None, never zero."""

import shutil
from pathlib import Path

from testbed.cgroup import ControlGroup, Counters, difference, from_engine, parse_membership, version

V1_MEMBERSHIP = "9:name=systemd:/docker/abc\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n"
V2_MEMBERSHIP = "0::/system.slice/docker-abc.scope\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def v1_tree(root: Path) -> Path:
    """As Linux 6.18 shows it under the legacy hierarchy."""
    return write(
        root,
        {
            "cpu/docker/abc/cpu.stat": "nr_periods 205\nnr_throttled 160\nthrottled_time 9876543210\nnr_bursts 0\n",
            "cpuacct/docker/abc/cpuacct.usage": "5120123456\n",
            "memory/docker/abc/memory.max_usage_in_bytes": "14680064\n",
            "memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
        },
    )


def v2_tree(root: Path) -> Path:
    """As Linux 6.1 shows it under the unified hierarchy."""
    group = "system.slice/docker-abc.scope/"
    return write(
        root,
        {
            "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma\n",
            group + "cpu.stat": (
                "usage_usec 5120123\nuser_usec 4000000\nsystem_usec 1120123\n"
                "nr_periods 205\nnr_throttled 160\nthrottled_usec 9876543\nnr_bursts 0\nburst_usec 0\n"
            ),
            group + "memory.peak": "14680064\n",
            group + "memory.events": "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\noom_group_kill 0\n",
        },
    )


EXPECTED = Counters(
    cpu_used_us=5_120_123,
    periods=205,
    throttled_periods=160,
    throttled_us=9_876_543,
    memory_peak_bytes=14_680_064,
    oom_kills=3,
)


def test_version_1_is_read_in_microseconds(tmp_path: Path) -> None:
    group = ControlGroup.of(V1_MEMBERSHIP, v1_tree(tmp_path))
    assert group is not None
    assert group.version == 1
    assert group.read() == EXPECTED


def test_version_2_gives_the_same_numbers_as_version_1(tmp_path: Path) -> None:
    group = ControlGroup.of(V2_MEMBERSHIP, v2_tree(tmp_path))
    assert group is not None
    assert group.version == 2
    assert group.read() == EXPECTED


def test_an_older_kernel_without_a_peak_says_unknown_not_zero(tmp_path: Path) -> None:
    root = v2_tree(tmp_path)
    (root / "system.slice/docker-abc.scope/memory.peak").unlink()
    group = ControlGroup.of(V2_MEMBERSHIP, root)
    assert group is not None
    assert group.read().memory_peak_bytes is None


def test_a_group_of_another_machine_is_out_of_sight(tmp_path: Path) -> None:
    assert ControlGroup.of("0::/elsewhere\n", v2_tree(tmp_path)) is None


def test_counters_of_a_container_that_ended_are_unknown(tmp_path: Path) -> None:
    root = v2_tree(tmp_path)
    group = ControlGroup.of(V2_MEMBERSHIP, root)
    assert group is not None
    shutil.rmtree(group.cpu)
    assert group.read() == Counters(None, None, None, None, None, None)


def test_the_root_group_is_never_taken_for_a_container(tmp_path: Path) -> None:
    root = write(tmp_path, {"cgroup.controllers": "cpu\n", "cpu.stat": "usage_usec 1\n"})
    assert ControlGroup.of("0::/\n", root) is None


def test_membership_names_every_controller_of_a_shared_line() -> None:
    paths = parse_membership(V1_MEMBERSHIP)
    assert paths["cpu"] == paths["cpuacct"] == "/docker/abc"
    assert paths[""] == "/"


def test_version_is_told_by_the_unified_root(tmp_path: Path) -> None:
    assert version(tmp_path) == 1
    assert version(v2_tree(tmp_path)) == 2


def test_the_engines_own_figures_are_turned_into_the_same_counters() -> None:
    stats: dict[str, dict[str, object]] = {
        "cpu_stats": {
            "cpu_usage": {"total_usage": 5_120_123_456},
            "throttling_data": {"periods": 205, "throttled_periods": 160, "throttled_time": 9_876_543_210},
        },
        "memory_stats": {"usage": 1},
    }
    assert from_engine(stats) == Counters(5_120_123, 205, 160, 9_876_543, None, None)
    assert from_engine({}) == Counters(None, None, None, None, None, None)


def test_a_difference_with_an_unknown_side_is_unknown() -> None:
    assert difference(10, 25) == 15
    assert difference(None, 25) is None
    assert difference(10, None) is None
