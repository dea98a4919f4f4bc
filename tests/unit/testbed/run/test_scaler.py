"""The scaler: steps when they are due, a law as often as it is asked, from what probes, front and clients tell."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from testbed.plan.scaling import Forecast, Law, Planned, Step
from testbed.run.acting import Wanted
from testbed.run.scaler import BUSY_INTERVAL_S, Scaler, Sensors, seen_between
from testbed.run.sensors import Use
from testbed.stack.locust_api import LoadError, Responses
from testbed.stack.services import Limits

CPU = Law("replicas", "cpu", 0.6, 1, 4, every_us=1_000_000)


@dataclass
class Seen:
    limits: Limits = field(default_factory=lambda: Limits(cpus=0.5, memory_bytes=100))


@dataclass
class World:
    """Everything around a scaler, and its clock."""

    now: float = 0.0
    replicas: float = 1
    is_busy: bool = False
    looks: int = 0
    wanted: list[Wanted] = field(default_factory=list)
    serving: list[str] = field(default_factory=lambda: ["a-1"])
    joining: dict[str, float] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=lambda: {f"a-{n}": Seen() for n in (1, 2)})
    uses: dict[str, Use | None] = field(default_factory=lambda: {"a-1": Use(1.0, cpu_share=0.9)})
    counted: list[Responses] = field(default_factory=list)
    waiting: int | None = 0

    # The actor.
    def look(self) -> None:
        self.looks += 1

    def now_of(self, what: str) -> float:
        return self.replicas

    def carry_out(self, wanted: Wanted) -> None:
        self.wanted.append(wanted)
        self.replicas = wanted.to

    # The load.
    def responses(self) -> Responses:
        if not self.counted:
            raise LoadError("gone")
        return self.counted.pop(0)


@dataclass
class Lines:
    world: World
    name: str

    def look(self) -> None: ...

    def use(self, seconds: float, limits: Limits) -> Use | None:
        return self.world.uses[self.name]


class Actor:
    def __init__(self, world: World) -> None:
        self.world = world
        self.look, self.carry_out = world.look, world.carry_out

    @property
    def is_busy(self) -> bool:
        return self.world.is_busy

    def now(self, what: str) -> float:
        return self.world.now_of(what)


@pytest.fixture
def world() -> World:
    return World()


def sensors(world: World, front: bool = True) -> Sensors:
    some: Any = world
    return Sensors(some, some, some, (lambda: world.waiting) if front else None, lambda name: Lines(world, name))  # type: ignore[arg-type,return-value]


def scaler(world: World, scaling: Any) -> Scaler:
    actor: Any = Actor(world)
    return Scaler(scaling, actor, sensors(world), lambda: world.now)


def test_a_step_is_taken_when_it_is_due_and_once(world: World) -> None:
    found = scaler(world, Planned("cpus", (Step(2_000_000, 0.5), Step(5_000_000, 1.0))))
    assert (found.look(), world.wanted) == (2.0, [])
    world.now = 2.0
    assert found.look() == 3.0
    assert world.wanted == [Wanted("cpus", 0.5, "as planned for 2 s")]
    world.now = 4.5
    assert found.look() == 0.5
    world.now = 5.1
    found.look()
    assert [one.to for one in world.wanted] == [0.5, 1.0]
    world.now = 6.0
    assert found.look() > 3600
    assert len(world.wanted) == 2


def test_a_step_at_the_opening_is_taken_at_once(world: World) -> None:
    found = scaler(world, Planned("replicas", (Step(0, 2),)))
    world.now = 0.01
    found.look()
    assert [one.to for one in world.wanted] == [2]


def test_a_law_decides_as_often_as_it_is_asked_to_and_says_why(world: World) -> None:
    found = scaler(world, CPU)
    assert found.look() == 1.0
    assert world.wanted == [Wanted("replicas", 2, "cpu 0.90 of target 0.60 x 1 replica: 2")]
    world.now = 0.7
    assert found.look() == pytest.approx(0.3)
    assert (len(world.wanted), world.looks) == (1, 2)
    world.uses = {"a-1": Use(1.0, cpu_share=0.6), "a-2": None}
    world.joining = {"a-2": 0.0}
    world.now = 2.3
    assert found.look() == pytest.approx(0.7)
    assert len(world.wanted) == 1


def test_while_something_is_under_way_it_looks_more_often(world: World) -> None:
    found = scaler(world, CPU)
    world.is_busy = True
    assert found.look() == BUSY_INTERVAL_S


def test_what_there_is_counts_and_not_what_was_meant_to_be(world: World) -> None:
    found = scaler(world, CPU)
    found.look()
    world.replicas, world.now = 1, 1.0
    found.look()
    # The first decision came to nothing: it is made again.
    assert [one.to for one in world.wanted] == [2, 2]


def test_without_a_reading_nothing_changes(world: World) -> None:
    world.uses = {"a-1": None}
    scaler(world, CPU).look()
    assert world.wanted == []


def test_a_queue_is_what_waits_in_front_and_servers_together(world: World) -> None:
    law = Law("replicas", "queue", 2.0, 1, 8)
    world.serving = ["a-1", "a-2"]
    world.uses = {"a-1": Use(1.0, accept_queue=3), "a-2": Use(1.0, accept_queue=1)}
    world.waiting = 5

    def whole(front: bool = True) -> float | None:
        found = sensors(world, front)
        return found.readings(law, 0.0, found.uses(1.0), found.seen()).whole

    assert (whole(), whole(front=False)) == (9.0, 4.0)
    world.waiting = None
    assert whole() is None
    world.uses["a-2"] = Use(1.0)
    assert whole(front=False) is None


def test_errors_and_latency_are_those_since_the_last_look(world: World) -> None:
    world.counted = [
        Responses(100, 1, {5.0: 99}),
        Responses(200, 11, {5.0: 100, 300.0: 89}),
        Responses(200, 11, {5.0: 100, 300.0: 89}),
    ]
    found = sensors(world)
    readings = {
        on: Law("replicas", on, 1.0, 1, 8)  # type: ignore[arg-type]
        for on in ("errors", "latency")
    }
    assert found.readings(readings["errors"], 0.0, {}, found.seen()).whole is None
    seen = found.seen()
    assert (seen.ended, seen.failed_share, seen.p99_us) == (100, 0.1, 300_000)
    assert found.readings(readings["errors"], 0.0, {}, seen).whole == 0.1
    assert found.readings(readings["latency"], 0.0, {}, seen).whole == 300_000
    # Nothing has ended since: nothing is known of it.
    nothing = found.seen()
    assert (nothing.ended, nothing.failed_share, nothing.p99_us) == (0, None, None)
    # Locust does not answer.
    assert found.seen().ended is None


@pytest.mark.parametrize(
    ("times", "p99"),
    [({1.0: 99, 500.0: 1}, 1_000), ({1.0: 98, 500.0: 2}, 500_000), ({7.0: 1}, 7_000), ({}, None), ({1.0: 0}, None)],
)
def test_a_99th_percentile_is_the_least_that_99_of_100_do_not_exceed(times: dict[float, int], p99: float) -> None:
    assert seen_between(Responses(0, 0, {}), Responses(100, 0, times)).p99_us == p99


def test_a_forecast_adds_to_what_the_law_asks_for(world: World) -> None:
    law = Law("replicas", "cpu", 0.6, 1, 9, every_us=1_000_000, forecast=Forecast("linear", 4_000_000))
    world.uses = {"a-1": Use(1.0, cpu_share=0.6)}
    world.counted = [Responses(n * (n + 1) * 10, 0, {}) for n in range(1, 12)]
    found = scaler(world, law)
    for second in range(9):
        world.now = float(second)
        found.look()
    # The load grows by 20/s each second, while the CPU is at its target still.
    assert world.wanted
    assert "linear: " in world.wanted[0].reason
