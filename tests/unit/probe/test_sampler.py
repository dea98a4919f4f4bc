"""Sampling against a clock that only moves when someone waits or works."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from probe import cgroup
from probe.ended import Ended, Slot
from probe.growth import total
from probe.proc import Task
from probe.processes import Sample
from probe.sampler import Clock, Outcome, Sampler
from probe.server import Reading
from probe.summary import summarise
from probe.window import Window

START = 1_000_000.0


class World:
    """Time, the CPU time of the probe, and a server whose counters follow time."""

    def __init__(self, detail_cost_s: float = 0.0, pss_cost_s: float = 0.0, stop_at: float = float("inf")) -> None:
        self.now = START
        self.cpu_s = 0.07
        self.costs = {"cheap": 0.0004, "queue": 0.0005, "detail": detail_cost_s, "pss": pss_cost_s}
        self.stop_at = stop_at
        self.waits = 0
        self.queue = 0
        self.processes_now = 3
        self.pss: int | None = 5_000
        self.lines: list[dict[str, Any]] = []
        self.read_at: dict[str, list[float]] = {kind: [] for kind in self.costs}

    def work(self, kind: str) -> None:
        self.read_at[kind].append(self.now)
        self.now += self.costs[kind]
        self.cpu_s += self.costs[kind]

    def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.waits += 1
        assert self.waits < 20_000, "the sampler spins"
        self.now += min(seconds, max(0.0, self.stop_at - self.now))
        return self.now >= self.stop_at

    def cheap(self) -> Reading:
        elapsed_us = round((self.now - START) * 1e6)
        self.work("cheap")
        levels = {"memory_now_bytes": 100, "pids": 9, "established": 4}
        counters = {"cpu_used_us": elapsed_us, "throttled_periods": elapsed_us // 100_000, "listen_overflows": 0}
        return {**dict.fromkeys(cgroup.NAMES), "listen_drops": 0, **levels, **counters}

    def accept_queue(self) -> int | None:
        self.work("queue")
        return self.queue

    def processes(self) -> Sample | None:
        count = int((self.now - START) * 10)
        self.work("detail")
        pids = range(1, 1 + self.processes_now)
        tasks = {pid: Task(count, 0, None) for pid in pids}
        use = total(tasks, {pid: pid for pid in pids}, Ended((Slot(),)))
        return Sample(frozenset((pid, 1) for pid in pids), len(tasks), count, 0, 0, tasks, use=use)

    def pss_bytes(self, may_go_on: Callable[[], bool]) -> int | None:
        self.work("pss")
        return self.pss if may_go_on() else None

    def unavailable(self) -> dict[str, str]:
        return {"psi": "not in version 1", "established": "of another time"}


def run(world: World, window: Window | None, told_at: float = START + 0.5, **more: Any) -> Outcome:
    clock = Clock(unix=lambda: world.now, cpu_s=lambda: world.cpu_s, wait=world.wait)
    told = lambda: window if world.now >= told_at else None  # noqa: E731
    return Sampler(world, clock, told, world.lines.append, interval_s=0.25, detail_interval_s=1.0, **more).run()


def summary(outcome: Outcome) -> dict[str, Any]:
    return summarise("t", outcome, 1, None, {}, 1.0, 0.07)


WINDOW = Window(START + 2.0, START + 12.0)


def test_both_edges_are_read_at_their_very_moment() -> None:
    world = World(detail_cost_s=0.009, pss_cost_s=0.08)
    found = summary(run(world, WINDOW))
    assert found["complete"] is True
    assert found["edges"]["opened"]["unix"] == pytest.approx(WINDOW.opens_unix, abs=1e-6)
    assert found["edges"]["closed"]["unix"] == pytest.approx(WINDOW.closes_unix, abs=1e-6)
    assert found["opened"]["cpu_used_us"] == pytest.approx(2_000_000, abs=2)
    assert found["difference"]["cpu_used_us"] == pytest.approx(10_000_000, abs=2)
    assert [line["edge"] for line in world.lines if "edge" in line] == ["opens", "closes"]


def test_what_is_wanted_of_the_machine_is_read_at_the_edges_and_never_between() -> None:
    world, read_at = World(), []

    def at_edges() -> Reading:
        read_at.append(world.now)
        return {"processor_ticks": {"0": (len(read_at), 100)}}

    found = summary(run(world, WINDOW, at_edges=at_edges))
    assert read_at == pytest.approx([WINDOW.opens_unix, WINDOW.closes_unix], abs=0.01)
    assert [found[edge]["processor_ticks"] for edge in ("opened", "closed")] == [{"0": (1, 100)}, {"0": (2, 100)}]


def test_between_the_edges_there_are_four_cheap_samples_a_second() -> None:
    world = World()
    outcome = run(world, WINDOW)
    inside = [line["unix"] for line in world.lines if WINDOW.opens_unix <= line["unix"] <= WINDOW.closes_unix]
    assert outcome.samples["cheap"] == len(inside)
    assert 40 <= len(inside) <= 42
    assert max(b - a for a, b in pairwise(inside)) < 0.26


def test_detail_samples_become_rarer_the_more_they_cost() -> None:
    cheap, costly = World(detail_cost_s=0.001), World(detail_cost_s=0.04)
    assert 10 <= run(cheap, WINDOW).samples["detail"] <= 12
    assert 2 <= run(costly, WINDOW).samples["detail"] <= 3


@pytest.mark.parametrize("duration_s", [2.0, 3.0, 10.0, 60.0])
@pytest.mark.parametrize("detail_cost_s", [0.001, 0.009, 0.012])
def test_the_probe_stays_under_two_percent_of_a_core(detail_cost_s: float, duration_s: float) -> None:
    world = World(detail_cost_s=detail_cost_s, pss_cost_s=0.1)
    found = summary(run(world, Window(START + 2.0, START + 2.0 + duration_s)))
    assert 0 < found["own_cost"]["share_of_core"] < 0.02
    assert found["own_cost"]["window_s"] == pytest.approx(duration_s)


def test_pss_costs_nothing_inside_the_window() -> None:
    world = World(pss_cost_s=0.1)
    found = summary(run(world, WINDOW))
    assert (found["opened"]["pss_bytes"], found["closed"]["pss_bytes"]) == (5_000, 5_000)
    inside = [at for at in world.read_at["pss"] if WINDOW.opens_unix - 0.1 < at < WINDOW.closes_unix]
    assert inside == []


def test_pss_that_takes_too_long_does_not_make_the_edge_late() -> None:
    world = World(pss_cost_s=0.3)
    outcome = run(world, Window(START + 1.0, START + 3.0), told_at=START + 0.7)
    assert outcome.opened is not None
    assert outcome.opened.reading["pss_bytes"] is None
    assert "pss_bytes" in outcome.opened.unavailable
    assert outcome.opened.late_s < 0.06  # one that was begun is not cut short; processes are asked one by one


def test_a_window_that_was_told_too_late_is_read_at_once_and_says_how_late() -> None:
    world = World()
    found = summary(run(world, Window(START + 1.0, START + 3.0), told_at=START + 1.4))
    assert found["edges"]["opened"]["late_s"] == pytest.approx(0.4, abs=0.11)
    assert found["unavailable"]["pss_bytes"] == "the window was told too late to measure it before it opened"
    assert found["difference"]["duration_s"] == pytest.approx(1.6, abs=0.11)


def test_a_queue_seen_once_in_the_window_is_its_maximum_and_one_before_is_not() -> None:
    world = World()
    world.queue = 50
    cheap = world.cheap

    def with_a_burst() -> Reading:
        elapsed = world.now - START
        world.queue = 50 if elapsed < 1.5 else 7 if 5.0 < elapsed < 5.3 else 0
        return cheap()

    world.cheap = with_a_burst  # type: ignore[method-assign]
    found = summary(run(world, WINDOW))
    assert found["max"]["accept_queue"] == 7
    assert (found["opened"]["accept_queue"], found["closed"]["accept_queue"]) == (0, 0)


def test_what_is_not_available_is_null_and_has_its_reason() -> None:
    found = summary(run(World(), WINDOW))
    assert found["opened"]["psi"] is found["difference"]["psi"] is found["difference"]["run_queue_wait_us"] is None
    assert found["unavailable"]["psi"] == "not in version 1"
    # A reason that no longer applies is not told.
    assert "established" not in found["unavailable"]


def test_a_stop_inside_the_window_leaves_what_there_is_marked_incomplete() -> None:
    world = World(stop_at=START + 6.0)
    found = summary(run(world, WINDOW))
    assert found["complete"] is False
    assert found["difference"]["duration_s"] == pytest.approx(4.0, abs=0.01)
    assert world.lines[-1]["edge"] == "stopped"


def test_a_stop_before_the_window_leaves_a_summary_without_numbers() -> None:
    found = summary(run(World(stop_at=START + 1.0), WINDOW))
    assert (found["complete"], found["opened"], found["difference"], found["max"]) == (False, None, None, None)


def test_without_a_window_it_samples_until_it_is_stopped() -> None:
    world = World(stop_at=START + 10.0)
    outcome = run(world, None)
    assert outcome.opened is None
    assert 38 <= len(world.lines) <= 42


def test_it_waits_for_an_edge_instead_of_spinning_towards_it() -> None:
    world = World(detail_cost_s=0.2)
    run(world, WINDOW)
    assert world.waits < 200


def test_switches_are_growth_and_what_is_not_known_of_them_has_its_reason() -> None:
    found = summary(run(World(), WINDOW))
    assert found["difference"]["voluntary_switches"] == pytest.approx(3 * 100, abs=3)
    assert found["unavailable"]["run_queue_wait_us"] == "the kernel does not tell it"
    assert "voluntary_switches" not in found["unavailable"]
    assert found["churn"] == {
        "processes_appeared": 0,
        "processes_ended": 0,
        "threads_appeared": 0,
        "threads_ended": 0,
    }
