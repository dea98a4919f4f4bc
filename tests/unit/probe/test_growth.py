"""Sums over threads only ever grow, and say what they cannot know."""

from probe.growth import Churn, Growth
from probe.processes import Sample, Task


def sample(tasks: dict[int, Task], processes: set[int] | None = None) -> Sample:
    pids = tasks.keys() if processes is None else processes
    return Sample(frozenset((pid, 1) for pid in pids), len(tasks), 0, 0, 0, tasks)


def test_what_a_thread_did_before_it_ended_is_kept() -> None:
    growth = Growth(sample({1: Task(10, 1, 5_000), 2: Task(100, 50, 9_000)}))
    growth.add(sample({1: Task(12, 1, 7_000), 2: Task(130, 55, 20_000)}))
    growth.add(sample({1: Task(15, 2, 8_000)}))
    assert growth.difference == {
        "voluntary_switches": 5 + 30,
        "involuntary_switches": 1 + 5,
        "run_queue_wait_us": 3 + 11,
    }


def test_what_a_new_thread_has_done_counts_from_its_beginning() -> None:
    growth = Growth(sample({1: Task(10, 1, 0)}))
    growth.add(sample({1: Task(10, 1, 0), 2: Task(4, 3, 2_000)}))
    assert growth.difference == {"voluntary_switches": 4, "involuntary_switches": 3, "run_queue_wait_us": 2}


def test_a_number_used_again_by_another_thread_never_makes_a_sum_shrink() -> None:
    growth = Growth(sample({1: Task(0, 0, 0), 2: Task(900, 900, 900_000)}))
    growth.add(sample({1: Task(0, 0, 0), 2: Task(5, 4, 3_000)}))
    assert growth.difference == {"voluntary_switches": 5, "involuntary_switches": 4, "run_queue_wait_us": 3}


def test_those_seen_to_come_and_go_are_counted() -> None:
    none = Task(0, 0, 0)
    growth = Growth(sample({1: none, 2: none, 3: none}, {1, 2}))
    growth.add(sample({1: none, 4: none, 5: none}, {1, 4}))
    growth.add(sample({1: none}, {1}))
    assert growth.churn == Churn(processes_appeared=1, processes_ended=2, threads_appeared=2, threads_ended=4)


def test_what_the_kernel_does_not_tell_is_unknown_and_not_zero() -> None:
    growth = Growth(sample({1: Task(1, 1, None)}))
    growth.add(sample({1: Task(2, 1, None)}))
    assert growth.difference["run_queue_wait_us"] is None
    assert growth.difference["involuntary_switches"] == 0
