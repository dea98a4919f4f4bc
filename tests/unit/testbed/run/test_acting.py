"""What is decided is carried out and kept: when, from what to what, why, how long it took, and what went wrong."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.run.acting import Actor, Provision, Wanted
from testbed.stack.services import Limits


@dataclass
class Container:
    id: str


@dataclass
class Seen:
    limits: Limits = field(default_factory=lambda: Limits(cpus=0.5, memory_bytes=100))
    ended: str = ""


@dataclass
class World:
    """Boxes and fleet of a trial, and its clock."""

    now: float = -1.0
    servers: list[str] = field(default_factory=lambda: ["a-1"])
    seen: dict[str, Seen] = field(default_factory=lambda: {f"a-{n}": Seen() for n in (1, 2, 3)})
    serving: list[str] = field(default_factory=lambda: ["a-1"])
    joining: dict[str, float] = field(default_factory=dict)
    leaving: dict[str, float] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    limited_to: list[Any] = field(default_factory=list)
    refuses: str = ""

    @property
    def meant(self) -> int:
        return len(self.serving) + len(self.joining)

    def running(self, name: str) -> Container:
        return Container(f"id of {name}")

    def limited(self, name: str, cpus: float | None, memory: int | None) -> None:
        self.limited_to.append((name, cpus, memory))

    def set_limits(self, container: str, cpus: float | None, memory: int | None) -> None:
        if self.refuses:
            raise UserError(self.refuses)
        self.now += 0.1

    def grow(self, count: int) -> list[str]:
        for name in ("a-2", "a-3")[:count]:
            self.joining[name] = 0.0
        return []

    def shrink(self, count: int) -> list[str]:
        for name in [self.serving.pop() for _ in range(count)]:
            self.leaving[name] = 0.0
        return []

    def look(self) -> list[str]:
        changes, self.changes = self.changes, []
        for change in changes:
            name, what, *_ = change.split()
            if self.leaving.pop(name, None) is None:
                del self.joining[name]
                self.serving += [name] if what == "serves," else []
        return changes

    def lost(self) -> list[str]:
        dead, self.dead = self.dead, []
        self.serving = [name for name in self.serving if name not in dead]
        return dead


@pytest.fixture
def world() -> World:
    return World()


def actor(world: World) -> Actor:
    some: Any = world
    return Actor(some, some, world.set_limits, lambda: world.now)


def test_a_limit_is_set_in_every_replica_at_once(world: World) -> None:
    world.serving.append("a-2")
    found = actor(world)
    world.now = 10.0
    found.carry_out(Wanted("cpus", 1.0, "as planned"))
    (action,) = found.actions
    assert (action.at_s, action.was, action.to, action.reason) == (10.0, 0.5, 1.0, "as planned")
    assert (action.done, action.took_s) == (True, pytest.approx(0.2))
    assert world.limited_to == [("a-1", 1.0, None), ("a-2", 1.0, None)]
    assert found.now("cpus") == 1.0
    assert found.provision == [Provision(-1.0, 2, 2, 1.0), Provision(10.2, 2, 2, 2.0)]
    found.carry_out(Wanted("memory", 200, "as planned"))
    assert world.limited_to[2:] == [("a-1", None, 200), ("a-2", None, 200)]
    assert (found.now("memory"), found.now("cpus")) == (200, 1.0)


def test_a_limit_that_the_engine_refuses_is_said_and_what_was_stays(world: World) -> None:
    found = actor(world)
    world.refuses = "no such quota"
    found.carry_out(Wanted("cpus", 1.0, "as planned"))
    (action,) = found.actions
    assert (action.done, action.took_s, action.said) == (False, None, ["a-1: no such quota"])
    assert (found.now("cpus"), world.limited_to) == (0.5, [])


def test_more_replicas_are_there_when_the_last_of_them_serves(world: World) -> None:
    found = actor(world)
    world.now = 5.0
    found.carry_out(Wanted("replicas", 3, "cpu 0.9 of 0.5"))
    assert found.now("replicas") == 3
    world.now, world.changes = 5.8, ["a-2 serves, 0.8 s after its start"]
    found.look()
    assert (found.actions[0].done, found.actions[0].took_s) == (False, None)
    world.now, world.changes = 6.0, ["a-3 serves, 1.0 s after its start"]
    found.look()
    assert (found.actions[0].done, found.actions[0].took_s) == (True, 1.0)
    assert len(found.actions[0].said) == 2
    assert [(one.at_s, one.serving, one.running, one.cpus) for one in found.provision] == [
        (-1.0, 1, 1, 0.5),
        (5.0, 1, 3, 1.5),
        (5.8, 2, 3, 1.5),
        (6.0, 3, 3, 1.5),
    ]


def test_fewer_are_there_when_the_last_is_gone(world: World) -> None:
    world.serving += ["a-2"]
    found = actor(world)
    world.now = 1.0
    found.carry_out(Wanted("replicas", 1, "as planned"))
    # One that drains holds its reservation still.
    assert [(one.serving, one.running) for one in found.provision] == [(2, 2), (1, 2)]
    world.now, world.changes = 2.0, ["a-2 is stopped"]
    found.look()
    assert (found.actions[0].took_s, found.provision[-1]) == (1.0, Provision(2.0, 1, 1, 0.5))


def test_one_that_fails_to_come_or_dies_is_said_and_the_action_is_not_done(world: World) -> None:
    found = actor(world)
    found.carry_out(Wanted("replicas", 2, "as planned"))
    world.changes = ["a-2 did not echo"]
    found.look()
    assert (found.actions[0].said, found.actions[0].done, found.now("replicas")) == (["a-2 did not echo"], False, 1)
    world.dead, world.seen["a-1"].ended = ["a-1"], "server a-1 ended during the window"
    found.look()
    assert found.actions[0].said[-1] == "server a-1 ended during the window"
    assert found.provision[-1].running == 0
