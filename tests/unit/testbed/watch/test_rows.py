"""The tree says who is who, fits the room there is, and loses nothing: what is left out is summed up."""

import pytest

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from testbed.watch.roles import role
from testbed.watch.rows import columns, rows
from tests.unit.testbed.watch.made import NOTHING_MORE, process, thread, tree


@pytest.mark.parametrize("model", SERVERS)
def test_every_process_and_thread_of_every_model_has_a_role(model: str) -> None:
    traits, size = TABLE[model], Size(2, 2, 2)
    assert role(model, is_first=True, is_main_thread=True)
    assert bool(role(model, is_first=False, is_main_thread=True)) == (traits.processes(size) > 1)
    assert bool(role(model, is_first=True, is_main_thread=False)) == traits.shares_a_process


def test_what_threads_of_a_model_that_is_not_known_do_is_not_made_up() -> None:
    assert role("os", is_first=True, is_main_thread=True) == ""


def test_processes_and_threads_stand_below_who_made_them() -> None:
    found = rows("mpmt", tree(process(1), process(7, threads=(thread(7), thread(8))), process(9)), None, plain=True)
    assert [(row.branch, row.number, row.what) for row in found] == [
        ("", 1, "keeps its workers"),
        ("|- ", 7, "python3, 2 threads"),
        ("|  |- ", 7, "accepts, starts threads"),
        ("|  `- ", 8, "serves one connection"),
        ("`- ", 9, "accepts, starts threads"),
    ]


@pytest.mark.parametrize("room", [4, 8, 20, 40])
def test_the_busiest_stay_where_not_all_fit_and_the_others_are_summed_up(room: int) -> None:
    made = tree(process(1), *(process(pid, cpus=pid / 100) for pid in range(2, 41)))
    found = rows("mpst", made, room, plain=False)
    assert len(found) <= room
    shown = sorted((row.number for row in found if row.number is not None), reverse=True)
    # PID 1, then the busiest, which have the highest numbers here.
    assert shown == [*range(40, 41 - len(shown), -1), 1]
    if len(shown) < 40:
        assert found[-1].what == f"+ {40 - len(shown):,} processes"
        assert found[-1].voluntary_per_s == sum(100.0 * pid for pid in range(2, 42 - len(shown)))


@pytest.mark.parametrize("room", [5, 9, 21])
def test_threads_that_do_not_fit_are_summed_up_too(room: int) -> None:
    made = tree(process(1, threads=(thread(1), *(thread(tid, tid / 100, "R") for tid in range(2, 31)))))
    found = rows("spmt", made, room, plain=False)
    assert len(found) <= room
    numbers = [row.number for row in found if row.branch]
    assert numbers[:2] == [1, 30]
    left = 30 - len([number for number in numbers if number])
    assert found[-1].what == f"+ {left} threads, {left} running"


def test_what_the_probe_summed_up_already_is_in_the_sum() -> None:
    made = tree(process(1), process(2))
    made["more_processes"] = {**NOTHING_MORE, "count": 1_000, "running": 2, "cpus": 0.5, "rss_bytes": 7}
    found = rows("mpst", made, None, plain=False)
    assert (found[-1].what, found[-1].cpus, found[-1].rss_bytes) == ("+ 1,000 processes, 2 running", 0.5, 7)


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("state", ["R", "S", "Z"])
def test_rows_are_as_wide_as_asked_for(width: int, state: str) -> None:
    made = tree(process(1, cpus=1.0, state=state), process(22, state=state))
    lines = list(columns(rows("mpst", made, None, plain=False), made, width))
    assert [len(line) for line in lines] == [width] * 3
    assert lines[1].plain.split()[-6:] == [
        {"R": "running", "S": "sleeping", "Z": "zombie"}[state],
        "100%",
        "12.0M",
        "5.0M",
        "100",
        "2",
    ]


def test_a_sum_with_a_part_that_is_not_known_is_not_known() -> None:
    others = [process(pid, cpus=0.1) for pid in range(2, 12)]
    others[-1]["voluntary_per_s"] = None
    found = rows("mpst", tree(process(1), *others), 4, plain=False)
    assert found[-1].what.startswith("+ ") and found[-1].voluntary_per_s is None
    assert found[-1].involuntary_per_s is not None
