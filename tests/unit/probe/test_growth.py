"""The growth of all tasks' counters, those that ended included; what is not known of all is not told."""

import pytest

from probe.ended import Ended, NotKnown, Slot
from probe.growth import OF_TASKS, Churn, Growth, Late, Use, difference, enough, levels, of_process, reasons, total
from probe.proc import Task
from probe.processes import Sample

NONE_ENDED = Ended((Slot(), Slot(pid=1)))


def ended(voluntary: int, involuntary: int, count: int, processes: int = 0) -> Ended:
    """Threads of process 1; `processes`: how many processes, with 1,000 and 100 switches each."""
    slots = (
        Slot(voluntary=1000 * processes, involuntary=100 * processes, count=processes),
        Slot(voluntary=voluntary, involuntary=involuntary, count=count, pid=1),
    )
    return Ended(slots)


def sample(tasks: dict[int, Task], gone: Ended, processes: set[int] | None = None) -> Sample:
    pids = {1} if processes is None else processes
    owners = dict.fromkeys(tasks, 1) | {pid: pid for pid in pids}
    return Sample(
        frozenset((pid, 1) for pid in pids), len(tasks), 0, 0, 0, tasks, use=total(tasks, owners, gone), ended=gone
    )


def test_what_ended_tasks_did_counts_whether_or_not_they_were_ever_seen() -> None:
    growth = Growth(sample({1: Task(10, 1, 5_000), 2: Task(100, 50, 9_000)}, NONE_ENDED))
    # Thread 2 has ended with 130 and 55, and so have others that no sample saw.
    growth.add(sample({1: Task(15, 2, 8_000)}, ended(130 + 4000, 55 + 300, 900, processes=2)))
    assert growth.difference == {
        "voluntary_switches": 5 + 30 + 4000 + 2000,
        "involuntary_switches": 1 + 5 + 300 + 200,
        "run_queue_wait_us": None,
    }
    assert growth.unavailable == {
        "run_queue_wait_us": "threads or processes have ended: the kernel tells it of those alone that are alive"
    }


def test_a_task_that_is_seen_though_it_has_given_its_use_is_not_counted_twice() -> None:
    tasks = {1: Task(10, 0, 0), 7: Task(50, 0, 0), 8: Task(70, 0, 0), 9: Task(5, 0, 0)}
    owners = {1: 1, 7: 1, 8: 8, 9: 9}
    slots = (Slot(voluntary=70, count=1), Slot(voluntary=50, count=1, pid=1))
    gone = Ended(slots, processes=frozenset({8}), threads=frozenset({7}))
    assert total(tasks, owners, gone).voluntary == 10 + 50 + 70 + 5


def test_a_wait_is_known_as_long_as_nothing_ends_and_a_new_task_counts_from_its_beginning() -> None:
    before = total({1: Task(10, 1, 0)}, {1: 1}, NONE_ENDED)
    after = total({1: Task(10, 1, 0), 2: Task(4, 3, 2_000)}, {1: 1, 2: 1}, NONE_ENDED)
    assert difference(before, after) == {"voluntary_switches": 4, "involuntary_switches": 3, "run_queue_wait_us": 2}
    assert reasons(before, after) == {}
    assert levels(after)["run_queue_wait_us"] == 2
    # Also when something had ended before.
    then = total({1: Task(10, 1, 1_000)}, {1: 1}, ended(5, 5, 3))
    now = total({1: Task(10, 1, 9_000)}, {1: 1}, ended(5, 5, 3))
    assert (levels(now)["run_queue_wait_us"], difference(then, now)["run_queue_wait_us"]) == (None, 8)


@pytest.mark.parametrize("unknown", [(0, 1), (1, 0)])
def test_without_the_servers_counts_nothing_is_known_and_the_reason_is_told(unknown: tuple[int, int]) -> None:
    known = total({1: Task(10, 1, 0)}, {1: 1}, NONE_ENDED)
    uses = [known, Use(why="the server keeps none")]
    before, after = (uses[place] for place in unknown)
    assert difference(before, after) == dict.fromkeys(OF_TASKS)
    assert reasons(before, after)["voluntary_switches"] == "the server keeps none"


def test_a_sum_is_unknown_as_soon_as_one_task_is() -> None:
    use = total({1: Task(1, 1, None), 2: Task(None, 1, 5)}, {1: 1, 2: 1}, NONE_ENDED)
    assert (use.voluntary, use.involuntary, use.wait_ns) == (None, 2, None)


def test_a_process_has_its_own_ended_threads_and_no_others() -> None:
    gone = Ended(
        (Slot(), Slot(voluntary=30, involuntary=3, count=2, pid=1), Slot(voluntary=500, involuntary=50, count=1, pid=6))
    )
    tasks = {1: Task(10, 1, 0), 6: Task(20, 2, 0), 9: Task(7, 0, 0)}
    assert of_process(6, tasks, [6], gone).voluntary == 520
    assert of_process(9, tasks, [9], gone).voluntary == 7
    assert of_process(1, tasks, [1], None).voluntary is None


def test_more_ends_than_are_remembered_make_the_moment_unknown() -> None:
    enough((5, 7), (5, 1007), 1000)
    enough((5, 7), (6, 0), 1000)  # a row that was handed on
    with pytest.raises(NotKnown, match="more than 1000 tasks ended"):
        enough((5, 7), (5, 1008), 1000)


def test_those_seen_to_come_and_go_are_counted() -> None:
    none = Task(0, 0, 0)
    growth = Growth(sample({1: none, 2: none, 3: none}, NONE_ENDED, {1, 2}))
    growth.add(sample({1: none, 4: none, 5: none}, NONE_ENDED, {1, 4}))
    growth.add(sample({1: none}, NONE_ENDED, {1}))
    assert growth.churn == Churn(processes_appeared=1, processes_ended=2, threads_appeared=2, threads_ended=4)


def test_what_threads_did_on_their_way_out_is_in_the_kernels_sum_and_stays_known() -> None:
    late = Late()
    owners = {1: 1, 5: 1}

    def voluntary(alive: dict[int, int], ended_so_far: int, whole: int) -> int | None:
        tasks = {tid: Task(count, 0, 0) for tid, count in alive.items()}
        gone = Ended((Slot(), Slot(voluntary=ended_so_far, count=9, pid=1, all_voluntary=whole, all_at_ns=1)))
        return total(tasks, owners, late.corrected(tasks, owners, gone)).voluntary

    assert voluntary({1: 100, 5: 10}, 0, 0) == 110
    # The process had 1,030 when it last looked, and what is known of its threads is 1,010.
    assert voluntary({1: 100, 5: 10}, 900, 1030) == 1030
    # Since then only a thread alive went on, for which nobody looked.
    assert voluntary({1: 100, 5: 510}, 900, 1030) == 1530
