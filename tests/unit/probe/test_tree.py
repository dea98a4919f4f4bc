"""The tree for a person who watches: the use of each process and thread since the sample before, nothing lost."""

import os
from pathlib import Path

import pytest

from probe import tree as tree_module
from probe.ended import Ended, Slot
from probe.growth import Use, total
from probe.proc import Stat
from probe.processes import Processes, Sample
from probe.tree import Thread, Tree, parse_thread
from tests.unit.probe.trees import add_process

STATUS = (
    b"Name:\tpython3\nUmask:\t0022\nState:\tR (running)\nTgid:\t7\nNgid:\t0\nPid:\t9\n"
    b"voluntary_ctxt_switches:\t100\nnonvoluntary_ctxt_switches:\t20\n"
)


def thread(pid: int, cpu_ns: int, voluntary: int, involuntary: int, state: str = "S") -> Thread:
    return Thread(voluntary, involuntary, 0, pid, "python3", state, cpu_ns)


NONE_ENDED = Ended((Slot(), Slot(pid=1)))


def sample(tasks: dict[int, Thread], ticks: dict[int, int] | None = None, ended: Ended | None = NONE_ENDED) -> Sample:
    """Of these threads by their ids; `ticks`: what the clocks of their processes say."""
    pids = sorted({task.pid for task in tasks.values()})
    counts = {pid: sum(task.pid == pid for task in tasks.values()) for pid in pids}
    stats = {
        pid: Stat(0 if pid == 1 else 1, "S", 0, 0, counts[pid], (ticks or {}).get(pid, 0), 100, 4096) for pid in pids
    }
    use = Use() if ended is None else total(tasks, {tid: task.pid for tid, task in tasks.items()}, ended)
    processes = frozenset((pid, 100) for pid in pids)
    return Sample(processes, len(tasks), 0, 0, 4096 * len(pids), dict(tasks), stats, use, ended)


def test_a_thread_is_read_from_the_two_files_that_are_read_anyway() -> None:
    found = parse_thread(STATUS, b"120139397 43000 1438\n")
    assert found == Thread(100, 20, 43_000, 7, "python3", "R", 120_139_397)


def test_without_schedstat_the_time_is_unknown_and_not_zero() -> None:
    assert parse_thread(STATUS, b"").cpu_ns is None


def test_the_first_tree_has_no_rates_and_the_next_has_those_since() -> None:
    tree = Tree()
    first = tree.add(sample({1: thread(1, 1_000, 10, 1)}), 100.0, {})
    assert (first["cpus"], first["processes"][0]["voluntary_per_s"], first["pss_bytes"]) == (None, None, None)
    second = tree.add(sample({1: thread(1, 500_001_000, 30, 5)}), 102.0, {1: 2048})
    assert (second["cpus"], second["voluntary_per_s"], second["involuntary_per_s"]) == (0.25, 10.0, 2.0)
    assert (second["pss_bytes"], second["processes"][0]["pss_bytes"]) == (2048, 2048)


def test_who_came_in_between_counts_from_zero() -> None:
    tree = Tree()
    tree.add(sample({1: thread(1, 0, 0, 0)}), 100.0, {})
    found = tree.add(sample({1: thread(1, 0, 0, 0), 7: thread(7, 10**8, 50, 2)}), 101.0, {})
    assert [(one["pid"], one["cpus"], one["voluntary_per_s"]) for one in found["processes"]] == [
        (1, 0.0, 0.0),
        (7, 0.1, 50.0),
    ]


def test_a_number_that_went_to_another_thread_does_not_count_backwards() -> None:
    tree = Tree()
    tree.add(sample({1: thread(1, 0, 0, 0), 7: thread(7, 10**9, 500, 20)}), 100.0, {})
    found = tree.add(sample({1: thread(1, 0, 0, 0), 7: thread(1, 10**7, 5, 0)}), 101.0, {})
    assert [one["voluntary_per_s"] for one in found["processes"][0]["threads"]] == [0.0, 5.0]


def test_the_switches_of_threads_and_processes_that_ended_are_in_the_rates() -> None:
    tree = Tree()
    tree.add(sample({1: thread(1, 0, 10, 1), 5: thread(1, 0, 100, 0), 9: thread(9, 0, 40, 0)}), 100.0, {})
    # Thread 5 ended with 120, process 9 with 50; 30 were of threads that no sample saw.
    ended = Ended((Slot(voluntary=50, count=1), Slot(voluntary=150, count=4, pid=1)))
    found = tree.add(sample({1: thread(1, 0, 11, 1)}, ended=ended), 101.0, {})
    assert found["processes"][0]["voluntary_per_s"] == 1 + 20 + 30
    assert found["voluntary_per_s"] == 1 + 20 + 30 + 10


def test_without_the_servers_counts_only_a_threads_own_switches_are_known() -> None:
    tree = Tree()
    threads = {1: thread(1, 0, 10, 1), 5: thread(1, 0, 100, 0)}
    tree.add(sample(threads, ended=None), 100.0, {})
    found = tree.add(sample(threads | {5: thread(1, 0, 130, 0)}, ended=None), 101.0, {})
    (one,) = found["processes"]
    assert found["voluntary_per_s"] is one["voluntary_per_s"] is one["involuntary_per_s"] is None
    assert [each["voluntary_per_s"] for each in one["threads"]] == [0.0, 30.0]


def test_the_time_of_threads_that_ended_in_between_is_their_processs() -> None:
    tick_ns = 10**9 // os.sysconf("SC_CLK_TCK")
    tree = Tree()
    tree.add(sample({1: thread(1, 0, 0, 0)}, {1: 0}), 100.0, {})
    found = tree.add(sample({1: thread(1, 0, 0, 0)}, {1: 10**9 // tick_ns // 2}), 101.0, {})
    assert found["processes"][0]["cpus"] == 0.5


def test_a_process_runs_as_soon_as_one_of_its_threads_does() -> None:
    made = sample({1: thread(1, 0, 0, 0), 5: thread(1, 0, 0, 0, "R")})
    found = Tree().add(made, 100.0, {})["processes"][0]
    assert (found["state"], [one["state"] for one in found["threads"]]) == ("R", ["S", "R"])


def test_of_many_the_busiest_are_told_and_the_others_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "MOST_PROCESSES", 3)
    monkeypatch.setattr(tree_module, "MOST_THREADS", 2)
    before = {pid: thread(pid, 0, 0, 0) for pid in range(1, 11)}
    after = {pid: thread(pid, pid * 10**7, pid, 1, "R") for pid in range(1, 11)}
    tree = Tree()
    tree.add(sample(before), 100.0, {})
    found = tree.add(sample(after), 101.0, {})
    assert [one["pid"] for one in found["processes"]] == [1, 9, 10]
    rest = found["more_processes"]
    assert (rest["count"], rest["voluntary_per_s"], rest["involuntary_per_s"]) == (7, sum(range(2, 9)), 7.0)
    assert found["processes_count"] == 10
    assert found["cpus"] == pytest.approx(0.55)

    tree = Tree()
    tree.add(sample({tid: thread(1, 0, 0, 0) for tid in range(1, 6)}), 100.0, {})
    found = tree.add(sample({tid: thread(1, tid * 10**7, tid, 0) for tid in range(1, 6)}), 101.0, {})
    (one,) = found["processes"]
    assert [each["tid"] for each in one["threads"]] == [1, 5]
    assert (one["more_threads"]["count"], one["more_threads"]["voluntary_per_s"]) == (3, 2 + 3 + 4)


def test_it_reads_what_the_kernel_shows(tmp_path: Path) -> None:
    add_process(tmp_path, 1, parent=0, switches={1: (7, 3), 8: (100, 20)})
    for tid in (1, 8):
        (tmp_path / f"1/task/{tid}/status").write_bytes(STATUS.replace(b"Tgid:\t7", b"Tgid:\t1"))
    made = Processes(tmp_path, 1024, parse_thread).read()
    assert made is not None
    found = Tree().add(made, 100.0, {})
    assert (found["threads_count"], [one["tid"] for one in found["processes"][0]["threads"]]) == (2, [1, 8])
    assert found["processes"][0]["name"] == "python3"
