"""The kernel's tables of tracked connections, from files as /proc shows them."""

from pathlib import Path

import pytest

from testbed.stack import conntrack
from testbed.stack.conntrack import Table, Tracking, parse

NAMES = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop\n"


def stat(entries: int, *dropped: int) -> str:
    rows = [f"{entries:08x}  {'00000000 ' * 9}{drop:08x} 00000000 00000000\n" for drop in dropped]
    return NAMES + "".join(rows)


class Machine:
    """A /proc with the tables of a machine and of two processes in namespaces of their own."""

    def __init__(self, proc: Path) -> None:
        self.proc = proc
        (proc / "sys/net/netfilter").mkdir(parents=True)
        (proc / "sys/net/netfilter/nf_conntrack_max").write_text("1000\n")
        self.set("self", 100, 5, 5)
        self.set("41", 10, 0, 0)
        self.set("42", 10, 0, 0)

    def set(self, place: str, entries: int, *dropped: int) -> None:
        file = self.proc / place / "net/stat/nf_conntrack"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(stat(entries, *dropped))

    def tracking(self) -> Tracking:
        return Tracking([41, 42], self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_numbers_are_hexadecimal_and_drops_are_of_all_processors() -> None:
    assert parse(stat(0x1F, 0x10, 2)) == Table(entries=31, dropped=18)


def test_drops_count_from_the_beginning_on_and_in_every_namespace(machine: Machine) -> None:
    tracking = machine.tracking()
    assert tracking.dropped() == 0
    machine.set("self", 1000, 6, 5)
    machine.set("42", 200, 0, 3)
    assert tracking.dropped() == 4


def test_a_table_that_was_full_when_it_was_looked_at_counts_although_it_has_room_again(machine: Machine) -> None:
    tracking = machine.tracking()
    machine.set("41", 990, 7, 0)
    tracking.look()
    machine.set("41", 100, 7, 0)
    assert tracking.dropped() == 7


def test_drops_with_room_in_the_table_have_another_reason(machine: Machine) -> None:
    tracking = machine.tracking()
    machine.set("self", 500, 50, 50)
    assert tracking.dropped() == 0


def test_nothing_is_known_where_nothing_is_tracked(tmp_path: Path) -> None:
    tracking = Tracking([1], tmp_path)
    assert (tracking.limit, tracking.look(), tracking.dropped()) == (None, 0, None)
    assert tracking.wait_for_room(1e9, pytest.fail)


def test_a_container_that_has_ended_takes_only_its_own_table_with_it(machine: Machine) -> None:
    tracking = machine.tracking()
    (machine.proc / "41/net/stat/nf_conntrack").unlink()
    machine.set("self", 1000, 7, 5)
    assert tracking.dropped() == 2


def test_room_is_waited_for_in_the_fullest_table_and_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def pause(_: float) -> None:
        machine.set("42", 950 - 100 * len(said), 0, 0)

    monkeypatch.setattr(conntrack.time, "sleep", pause)
    machine.set("42", 950, 0, 0)
    tracking = machine.tracking()
    assert tracking.wait_for_room(50, said.append)
    assert said == []
    assert tracking.wait_for_room(300, said.append)
    assert said == [f"waits: {n} of 1000 connections tracked" for n in (950, 850, 750)]


def test_patience_has_an_end_and_nobody_waits_for_a_table_that_is_empty(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.tracking().wait_for_room(1e9, pytest.fail)  # 100 entries and 900 more
    monkeypatch.setattr(conntrack, "PATIENCE_S", -1.0)
    machine.set("self", 101, 0, 0)
    assert not machine.tracking().wait_for_room(1e9, pytest.fail)
