"""Replicas that join and leave a trial: one serves once it has echoed, and goes once its connections are gone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.parts.asking import Address
from testbed.parts.front import FRONTS
from testbed.run import fleet
from testbed.run.boxes import Boxes
from testbed.run.fleet import DRAIN_TIMEOUT_S, JOIN_TIMEOUT_S, Balancer, Fleet
from testbed.stack.engine import ContainerGone, LaidOut
from testbed.stack.services import Stack

NAMES = ("spmt-1", "spmt-2", "spmt-3")


class Container:
    def __init__(self, name: str) -> None:
        self.address = f"10.0.0.{name[-1]}"


class Seen:
    ended = ""


class Trial:
    """Boxes, checks, engine and front of a trial at once, and its clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.seen = {"spmt-1": Seen()}
        self.servers = ["spmt-1"]
        self.silent: set[str] = set()
        self.did: list[str] = []
        self.open = {"spmt-1": 3}
        self.refuses = self.is_deaf = False
        self.gone: set[str] = set()

    # The engine.
    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        if self.refuses:
            raise UserError("no room")
        self.did.append(f"up {' '.join(services)}")

    # The boxes.
    def join(self, name: str, directory: Any) -> None:
        if self.refuses or name in self.gone:
            raise ContainerGone(name)
        self.seen[name] = Seen()

    def running(self, name: str) -> Container:
        return Container(name)

    def remove(self, name: str, directory: Any) -> None:
        self.did.append(f"remove {name}")

    # The checks.
    def echo_of(self, name: str) -> str:
        return "no reply" if name in self.silent else ""

    # The front.
    def _hear(self) -> None:
        if self.is_deaf:
            raise ConnectionRefusedError("refused")

    def set_address(self, server: str, address: str, port: int) -> None:
        self._hear()
        self.did.append(f"{server} is at {address}:{port}")

    def enable(self, server: str) -> None:
        self._hear()
        self.did.append(f"enable {server}")

    def drain(self, server: str) -> None:
        self._hear()
        self.did.append(f"drain {server}")

    def sessions(self, server: str) -> int:
        self._hear()
        return self.open.get(server, 0)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    made = Trial()
    monkeypatch.setattr(fleet.time, "monotonic", lambda: made.now)
    return made


def of(trial: Trial, front: bool = True) -> Fleet:
    some: Any = trial
    boxes: Boxes = some
    return Fleet(boxes, some, some, LaidOut(Path("compose.yaml"), Stack("p", ())), some, NAMES, some if front else None)


@pytest.mark.parametrize("name", FRONTS)
def test_a_front_is_told_of_replicas_if_and_only_if_it_takes_them(name: str) -> None:
    front = FRONTS[name]
    assert isinstance(front.client(Address(name, 1)), Balancer) == front.takes_servers


def test_one_that_joins_serves_once_it_has_echoed(trial: Trial) -> None:
    found = of(trial)
    trial.silent = {"spmt-2"}
    assert found.grow(1) == []
    assert (found.serving, list(found.joining), found.meant) == (["spmt-1"], ["spmt-2"], 2)
    trial.now += 0.5
    assert found.look() == []
    assert trial.did == ["up spmt-2 probe-spmt-2"]
    trial.silent.clear()
    trial.now += 0.4
    (change,) = found.look()
    assert change == "spmt-2 serves, 0.9 s after its start"
    assert trial.did[1:] == ["spmt-2 is at 10.0.0.2:8081", "enable spmt-2"]
    assert (found.serving, found.joining) == (["spmt-1", "spmt-2"], {})


def test_one_that_leaves_is_given_nothing_more_and_goes_when_it_has_no_connection(trial: Trial) -> None:
    found = of(trial)
    found.grow(1)
    found.look()
    trial.did.clear()
    trial.open["spmt-2"] = 2
    assert found.shrink(1) == []
    assert (trial.did, found.serving, list(found.leaving), found.meant) == (["drain spmt-2"], ["spmt-1"], ["spmt-2"], 1)
    trial.now += 1.0
    assert found.look() == []
    trial.open["spmt-2"] = 0
    (change,) = found.look()
    assert change == "spmt-2 is stopped, 1.0 s after it was told to drain"
    assert trial.did[1:] == ["remove spmt-2"]
    # What its container has counted is of that one: the next to join is another.
    found.grow(1)
    assert list(found.joining) == ["spmt-3"]


def test_one_that_does_not_serve_yet_goes_before_those_that_do(trial: Trial) -> None:
    found = of(trial)
    trial.silent = {"spmt-2"}
    found.grow(1)
    (change,) = found.shrink(1)
    assert (change, trial.did[-1]) == ("spmt-2 is stopped before it served", "remove spmt-2")
    assert (found.serving, found.joining, found.leaving) == (["spmt-1"], {}, {})


def test_connections_that_stay_are_cut_in_the_end_and_counted(trial: Trial) -> None:
    found = of(trial)
    found.shrink(1)
    trial.now += DRAIN_TIMEOUT_S
    (change,) = found.look()
    assert change == "spmt-1 is stopped, 10.0 s after it was told to drain, 3 connections were cut"


def test_one_that_never_echoes_is_given_up_and_goes(trial: Trial) -> None:
    found = of(trial)
    trial.silent = {"spmt-2"}
    found.grow(1)
    trial.now += JOIN_TIMEOUT_S
    (change,) = found.look()
    assert change == "spmt-2 did not echo within 15 s: no reply"
    assert (found.joining, trial.did[-1]) == ({}, "remove spmt-2")


def test_an_engine_that_cannot_start_another_is_a_line(trial: Trial) -> None:
    found = of(trial)
    trial.refuses = True
    (change,) = found.grow(1)
    assert change == "spmt-2 could not be started: no room"
    assert found.meant == 1
    trial.refuses = False
    trial.gone = {"spmt-2"}
    (change,) = found.grow(1)
    assert change == "spmt-2 is gone right after its start"


def test_there_are_no_more_than_were_planned(trial: Trial) -> None:
    found = of(trial)
    (change,) = found.grow(3)
    assert change == "1 of 3 not started: every container of the plan was used"
    assert list(found.joining) == ["spmt-2", "spmt-3"]
    (change,) = found.grow(1)
    assert change == "1 of 1 not started: every container of the plan was used"
    assert trial.did == ["up spmt-2 probe-spmt-2 spmt-3 probe-spmt-3"]


def test_a_front_that_does_not_answer_gets_no_replica_and_loses_none_early(trial: Trial) -> None:
    found = of(trial)
    found.grow(1)
    trial.is_deaf = True
    (change,) = found.look()
    assert change == "the front could not be told of spmt-2: refused"
    assert trial.did[-1] == "remove spmt-2"
    (change,) = found.shrink(1)
    assert change == "the front could not be told to drain spmt-1: refused"
    assert found.look() == []


def test_where_clients_find_it_by_name_alone_one_that_leaves_goes_at_once(trial: Trial) -> None:
    found = of(trial, front=False)
    found.grow(1)
    found.look()
    assert found.serving == ["spmt-1", "spmt-2"]
    found.shrink(1)
    (change,) = found.look()
    assert change == "spmt-2 is stopped, 0.0 s after it was told to drain"


def test_one_that_dies_is_out_wherever_it_was(trial: Trial) -> None:
    found = of(trial)
    found.grow(1)
    found.look()
    found.shrink(1)
    found.grow(1)
    assert (found.serving, list(found.joining), list(found.leaving)) == (["spmt-1"], ["spmt-3"], ["spmt-2"])
    for name in ("spmt-3", "spmt-2"):
        trial.seen[name].ended = f"{name} ended"
        assert found.lost() == [name]
    assert (found.serving, found.joining, found.leaving) == (["spmt-1"], {}, {})
