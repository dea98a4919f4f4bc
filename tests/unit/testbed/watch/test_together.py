"""Probes beside several containers: each line comes with its container, and whoever comes or goes changes no other."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.stack.engine import ContainerGone
from testbed.watch.looks import Options, _LastLooks, _now
from testbed.watch.target import Group, Target
from testbed.watch.together import Together
from tests.unit.testbed.watch.made import line, target
from tests.waiting import wait_until

ONE, TWO, THREE = (target(name=f"p-spmt-{number}", project="p") for number in (1, 2, 3))
TIMEOUT_S = 10.0


class Probes:
    """Lines as a test says them; None ends a probe, an error breaks it."""

    def __init__(self, *gone: Target) -> None:
        self._gone = {one.name for one in gone}
        self.said: dict[str, queue.SimpleQueue[Any]] = {}
        self.running: list[str] = []

    def rest_cpuset(self, target: Target) -> str | None:
        return None

    @contextmanager
    def probe(self, target: Target, interval_s: float, cpuset: str | None) -> Iterator[Iterator[dict[str, Any]]]:
        if target.name in self._gone:
            raise ContainerGone(target.name)
        said = self.said[target.name] = queue.SimpleQueue()
        self.running.append(target.name)
        try:
            yield self._lines(said)
        finally:
            said.put(None)
            self.running.remove(target.name)

    @staticmethod
    def _lines(said: "queue.SimpleQueue[Any]") -> Iterator[dict[str, Any]]:
        while (one := said.get()) is not None:
            if isinstance(one, BaseException):
                raise one
            yield one


def test_lines_come_with_their_container_and_all_probes_are_removed_at_the_end() -> None:
    probes = Probes()
    with Together(probes, 1.0) as together:
        together.follow([ONE, TWO])
        together.follow([ONE, TWO])
        assert probes.running == ["p-spmt-1", "p-spmt-2"]
        for name in ("p-spmt-2", "p-spmt-1"):
            probes.said[name].put({"of": name})
            told = together.next(TIMEOUT_S)
            assert told is not None
            assert (told[0].name, told[1]) == (name, {"of": name})
    assert probes.running == []


def test_one_that_ends_is_left_out_and_the_others_go_on() -> None:
    probes = Probes()
    with Together(probes, 1.0) as together:
        together.follow([ONE, TWO])
        probes.said["p-spmt-1"].put(None)
        assert together.next(TIMEOUT_S) is None
        assert [one.name for one in together.watched] == ["p-spmt-2"] == probes.running
        together.follow([TWO, THREE])
        assert [one.name for one in together.watched] == ["p-spmt-2", "p-spmt-3"]
        probes.said["p-spmt-3"].put(ContainerGone("p-spmt-3"))
        assert together.next(TIMEOUT_S) is None
        assert [one.name for one in together.watched] == ["p-spmt-2"]


def test_one_that_has_ended_before_it_could_be_watched_is_left_out() -> None:
    with Together(Probes(ONE), 1.0) as together:
        together.follow([ONE, TWO])
        assert [one.name for one in together.watched] == ["p-spmt-2"]


def test_a_probe_that_fails_is_no_silence() -> None:
    probes = Probes()
    with Together(probes, 1.0) as together:
        together.follow([ONE])
        probes.said["p-spmt-1"].put(UserError("the probe has ended"))
        with pytest.raises(UserError, match="the probe has ended"):
            together.next(TIMEOUT_S)
    assert probes.running == []


def test_without_a_line_it_waits_no_longer_than_asked() -> None:
    with Together(Probes(), 1.0) as together:
        together.follow([ONE])
        assert together.next(0.0) is None
        assert together.next(-1.0) is None
        assert wait_until(lambda: together.watched, "it stays") == [ONE]


def test_a_round_is_over_when_each_has_been_looked_at_and_those_that_left_are_forgotten() -> None:
    last, group = _LastLooks(), Group((), (ONE, TWO))
    both = [ONE, TWO]
    first = last.add(TWO, line(), None, group, both)
    assert not first.is_round
    again = last.add(TWO, line(), None, group, both)
    assert not again.is_round
    whole = last.add(ONE, line(), None, group, both)
    assert whole.is_round
    assert [look.target.name for look in whole.every] == ["p-spmt-1", "p-spmt-2"]
    last.keep([TWO])
    alone = last.add(TWO, line(), None, group, [TWO])
    assert alone.is_round
    assert [look.target.name for look in alone.every] == ["p-spmt-2"]


FRONT = target(name="p-haproxy-1", model="haproxy", role="front", project="p", behind=("spmt",))
ELSEWHERE = target(name="q-spmt-1", project="q")
ALONE = target(name="mine")


class Docker:
    """What runs, as a test says it."""

    def __init__(self, *running: Target) -> None:
        self._running = list(running)

    def targets(self) -> list[Target]:
        return self._running


def names_now(before: Group, wanted: str | None, *running: Target) -> list[str]:
    options = Options(wanted, 1.0, once=False, as_json=False, packets=False)
    return [one.name for one in _now(Docker(*running), before, options).every]  # type: ignore[arg-type]


def test_those_that_come_join_and_those_elsewhere_do_not() -> None:
    before = Group((FRONT,), (ONE,))
    running = [FRONT, ONE, TWO, ELSEWHERE, ALONE]
    for wanted in (None, "spmt", "haproxy"):
        assert names_now(before, wanted, *running) == ["p-haproxy-1", "p-spmt-1", "p-spmt-2"]
    assert names_now(Group((FRONT,), ()), None, *running) == ["p-haproxy-1", "p-spmt-1", "p-spmt-2"]
    assert names_now(before, None, TWO) == ["p-spmt-2"]


def test_one_that_was_named_stays_alone() -> None:
    assert names_now(Group((), (ONE,)), "p-spmt-1", FRONT, ONE, TWO) == ["p-spmt-1"]
    assert names_now(Group((), (ALONE,)), None, ALONE, target(name="other")) == ["mine"]
