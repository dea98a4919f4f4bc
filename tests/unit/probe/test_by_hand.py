"""The lines for a person who watches: growth since the line before, also of threads that came and went."""

import shutil
from pathlib import Path
from typing import Any

from probe.by_hand import Followed, Lines
from probe.server import WatchedServer, details
from tests.unit.probe.trees import KnownMemory, add_process, v1_proc


def test_growth_since_the_line_before_counts_threads_that_ended_and_is_never_negative(tmp_path: Path) -> None:
    proc, memory = v1_proc(tmp_path), KnownMemory()
    server = Followed(WatchedServer(8081, 1024, proc, memory=memory))
    said: list[dict[str, Any]] = []
    lines = Lines(server.grown, said.append)

    def sample(switches: dict[int, tuple[int, int]]) -> None:
        for task in (proc / "1/task").glob("*"):
            if int(task.name) not in switches:
                shutil.rmtree(task)
        add_process(proc, 1, parent=0, switches=switches)
        lines.add({**server.cheap(), **details(server.processes())})

    sample({1: (100, 10), 8: (5000, 500)})
    sample({1: (103, 11), 8: (5010, 500)})
    lines.add(server.cheap())
    memory.threads += [(5012, 500), (40, 4)]
    sample({1: (104, 11), 9: (7, 2)})
    first, second, without_threads, last = said
    assert "voluntary_switches_since_last" not in first
    assert (second["voluntary_switches_since_last"], second["involuntary_switches_since_last"]) == (13, 1)
    assert "voluntary_switches_since_last" not in without_threads
    # One of the threads is gone, two switches after its 5010; one was never seen; the new one began at zero.
    assert (last["voluntary_switches_since_last"], last["involuntary_switches_since_last"]) == (1 + 2 + 40 + 7, 4 + 2)
    assert second["minor_faults_since_last"] == last["minor_faults_since_last"] == 0
    assert "minor_faults_since_last" not in without_threads
    assert "voluntary_switches" not in second and second["threads"] == 2


def test_without_the_servers_counts_no_line_has_a_part_of_them(tmp_path: Path) -> None:
    proc = v1_proc(tmp_path)
    add_process(proc, 1, parent=0)
    server = Followed(WatchedServer(8081, 1024, proc))
    said: list[dict[str, Any]] = []
    lines = Lines(server.grown, said.append)
    for _ in range(2):
        lines.add({**server.cheap(), **details(server.processes())})
    assert not [name for line in said for name in line if "switches" in name or "run_queue" in name]
    assert said[1]["minor_faults_since_last"] == 0
    assert server.unavailable()["voluntary_switches"] == (
        "the server does not count what its ended threads and processes have used"
    )


def test_every_line_has_the_limits_in_force(tmp_path: Path) -> None:
    proc = v1_proc(tmp_path)
    said: list[dict[str, Any]] = []
    server = Followed(WatchedServer(8081, 1024, proc))
    lines = Lines(server.grown, said.append)
    lines.add(server.cheap())
    (proc / "1/root/sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text("25000\n")
    lines.add(server.cheap())
    assert [line["limits"]["cpus"] for line in said] == [0.5, 0.25]
    assert said[0]["limits"] == {"cpus": 0.5, "cpuset": "0-1", "memory_bytes": 128 * 2**20}


def test_what_is_not_available_is_left_out_and_never_zero(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    server = Followed(WatchedServer(8081, 1024, tmp_path))
    lines = Lines(server.grown, said.append)
    lines.add({"unix": 1.0, **server.cheap(), **details(server.processes())})
    lines.add({"unix": 2.0, **server.cheap(), **details(server.processes())})
    assert said == [{"unix": 1.0}, {"unix": 2.0}]
