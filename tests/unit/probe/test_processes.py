"""The server's processes are told from everything else in its PID namespace, and counted while they come and go."""

import os
import shutil
from pathlib import Path

import pytest

from probe.proc import Task, parse_pss, parse_stat, parse_switches
from probe.processes import Processes, Sample
from tests.unit.probe.trees import V1_MEMBERSHIP, V2_MEMBERSHIP, add_process, stat

PROBE_MEMBERSHIP = V1_MEMBERSHIP.replace("abc", "def")
PAGE = os.sysconf("SC_PAGE_SIZE")


def pids(sample: Sample | None) -> list[int]:
    assert sample is not None
    return sorted(pid for pid, _ in sample.processes)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def read(proc: Path, open_files: int = 1024) -> Sample | None:
    return Processes(proc, open_files).read()


def test_stat_is_read_right_whatever_the_name_of_the_process() -> None:
    found = parse_stat(stat(42, 7, threads=3, state="R", started=555, faults=10).encode())
    assert (found.parent, found.state, found.threads, found.started) == (7, "R", 3, 555)
    # Of the process itself and of the children it has reaped.
    assert (found.minor_faults, found.major_faults) == (10 + 5, 2 + 1)
    assert found.rss_bytes == 3566 * PAGE


def test_a_kernel_that_does_not_tell_is_unknown() -> None:
    assert parse_switches(b"Name:\tx\nPid:\t1\n") == (None, None)
    assert parse_pss(b"Rss: 12 kB\nSwapPss: 4 kB\n") is None


@pytest.mark.parametrize("membership", [V1_MEMBERSHIP, V2_MEMBERSHIP])
def test_only_processes_of_the_servers_own_control_group_are_counted(tmp_path: Path, membership: str) -> None:
    add_process(tmp_path, 1, parent=0, membership=membership)
    add_process(tmp_path, 20, membership=membership)
    add_process(tmp_path, 30, parent=0, membership=membership.replace("abc", "def"))  # a sidecar
    add_process(tmp_path, 31, parent=1, membership=membership.replace("abc", "def"))  # what it left behind
    assert pids(read(tmp_path)) == [1, 20]


def test_the_probe_itself_is_not_counted_even_in_the_same_control_group(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, os.getpid())
    assert pids(read(tmp_path)) == [1]


def test_a_health_check_in_the_servers_container_is_not_one_of_its_processes(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, 20)
    add_process(tmp_path, 50, parent=0)  # as `docker exec` starts it
    add_process(tmp_path, 51, parent=50)
    add_process(tmp_path, 21, parent=999)  # its parent has just ended
    assert pids(read(tmp_path)) == [1, 20, 21]


def test_threads_are_counted_and_their_switches_read_for_each_of_them(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0, switches={1: (7, 3), 8: (100, 20), 9: (50, 1)})
    sample = read(tmp_path)
    assert sample is not None
    assert (len(sample.processes), sample.threads) == (1, 3)
    assert sample.tasks == {1: Task(7, 3, 43_000), 8: Task(100, 20, 43_000), 9: Task(50, 1, 43_000)}


def test_a_process_that_has_ended_and_is_not_reaped_is_not_counted_as_running(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, 20, state="Z")
    sample = read(tmp_path)
    assert pids(sample) == [1]
    assert sample is not None and sample.minor_faults == 2 * (10 + 5)


def test_processes_that_come_and_go_between_samples_are_normal(tmp_path: Path) -> None:
    processes = Processes(tmp_path, 1024)
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, 20)
    assert pids(processes.read()) == [1, 20]
    shutil.rmtree(tmp_path / "20")
    add_process(tmp_path, 21)
    assert pids(processes.read()) == [1, 21]


def test_a_process_that_vanishes_between_listing_and_reading_is_left_out(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, 20)
    (tmp_path / "20/stat").unlink()
    add_process(tmp_path, 21)
    (tmp_path / "21/stat").write_text("")
    add_process(tmp_path, 22)
    (tmp_path / "22/task/22/status").unlink()
    sample = read(tmp_path)
    assert sample is not None
    assert set(sample.tasks) == {1}


def test_a_number_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    processes = Processes(tmp_path, 0)  # nothing is kept open: only when it started tells them apart
    add_process(tmp_path, 1, parent=0)
    add_process(tmp_path, 20, started=100)
    before = processes.read()
    add_process(tmp_path, 20, started=200)
    after = processes.read()
    assert before is not None and after is not None
    assert after.processes - before.processes == {(20, 200)}


def test_more_processes_than_files_may_be_open_are_read_all_the_same(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0)
    for pid in range(20, 60):
        add_process(tmp_path, pid)
    open_before = open_files()
    few = Processes(tmp_path, 64 + 10)
    found = few.read()
    assert open_files() - open_before <= 10
    assert found is not None
    assert len(found.processes) == len(found.tasks) == 41
    assert few.read() == found


def test_pss_is_summed_over_the_servers_processes_only(tmp_path: Path) -> None:
    processes = Processes(tmp_path, 1024)
    add_process(tmp_path, 1, parent=0, pss_kb=1000)
    add_process(tmp_path, 20, pss_kb=500)
    add_process(tmp_path, 30, parent=0, membership=PROBE_MEMBERSHIP, pss_kb=9999)
    processes.read()
    assert processes.pss_bytes(lambda: True) == 1500 * 1024


def test_pss_that_could_not_be_finished_in_time_is_unknown_and_not_a_part_of_it(tmp_path: Path) -> None:
    processes = Processes(tmp_path, 1024)
    for pid in (1, 20, 21):
        add_process(tmp_path, pid, parent=min(pid - 1, 1))
    processes.read()
    answers = iter([True, False])
    assert processes.pss_bytes(lambda: next(answers)) is None
    assert "before the edge" in processes.unavailable["pss_bytes"]


def test_a_server_out_of_sight_is_unknown(tmp_path: Path) -> None:
    processes = Processes(tmp_path, 1024)
    assert processes.read() is None
    assert processes.unavailable["processes"] == "PID 1 has ended or cannot be seen"
