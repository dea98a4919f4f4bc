import json
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from servers import calibrate as calibrating
from servers import work
from servers.calibrate import CALLS, UNITS, calibrate
from servers.work import hash_rounds, spin


def test_the_same_units_are_the_same_work_every_time() -> None:
    assert spin(1000) == spin(1000)
    assert len({spin(units) for units in range(1, 50)}) > 40  # each unit moves the state on


def test_more_units_take_proportionally_more_work(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []

    def counting_range(stop: int) -> range:
        steps.append(stop)
        return range(0)

    monkeypatch.setattr(work, "range", counting_range, raising=False)
    spin(1)
    spin(10)
    assert steps == [work.STEPS_PER_UNIT, 10 * work.STEPS_PER_UNIT]


def test_spinning_holds_the_gil() -> None:
    threads = [threading.Thread(target=spin, args=(100_000,)) for _ in range(2)]
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Two threads of GIL-holding work never use more than one CPU between them.
    assert time.process_time() - cpu <= 1.2 * (time.perf_counter() - wall)


def test_hashing_lets_another_thread_hold_the_gil() -> None:
    """One thread hashes for long; if it kept the GIL, this one would not get a step done meanwhile."""
    thread = threading.Thread(target=hash_rounds, args=(300_000,))
    thread.start()
    steps = 0
    while thread.is_alive():
        time.sleep(0.001)
        steps += 1
    assert steps > 5


def test_rounds_decide_the_hash_and_none_is_no_work() -> None:
    assert hash_rounds(0) == b""
    assert hash_rounds(3) == hash_rounds(3) != hash_rounds(4)


class Machine:
    """A clock whose speed a test sets: each sample takes the next of `costs_ms`, for all of its calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, costs_ms: list[float]) -> None:
        self.now_ns, self.calls, self.costs_ms = 0, 0, costs_ms
        self.kinds: list[str] = []
        for kind, (_, amount, name) in calibrating.KINDS.items():
            monkeypatch.setitem(calibrating.KINDS, kind, (partial(self.work, kind), amount, name))

    def work(self, kind: str, amount: int) -> None:
        cost_ms = self.costs_ms[self.calls // CALLS % len(self.costs_ms)]
        self.calls += 1
        self.now_ns += round(cost_ms * 1e6)
        self.kinds.append(kind)

    def cpu_ns(self) -> int:
        return self.now_ns

    def wall_s(self) -> float:
        return self.now_ns / 1e9


def test_a_millisecond_is_sized_by_the_typical_speed_and_the_fastest_is_kept_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fast for a moment, slow for most: work sized by the moment would take 1.6 times what was asked."""
    machine = Machine(monkeypatch, [1.0, 1.6, 1.6, 1.6, 1.6])
    found = calibrate(1.0, ("spin",), machine.cpu_ns, machine.wall_s)
    assert found["spin_units_per_ms"] == UNITS / 1.6
    assert found["fastest_spin_units_per_ms"] == UNITS / 1.0
    assert "hash_rounds_per_ms" not in found
    assert set(machine.kinds) == {"spin"}


def test_both_kinds_are_sampled_in_turn_over_the_same_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, [1.0])
    found = calibrate(1.0, ("spin", "hash"), machine.cpu_ns, machine.wall_s)
    assert len(found["samples"]) == len(found["hash_samples"]) > 20  # type: ignore[arg-type]
    assert machine.kinds[2 * CALLS : 4 * CALLS] == ["spin"] * CALLS + ["hash"] * CALLS


def test_every_processor_that_may_be_used_is_sampled_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, used = Machine(monkeypatch, [1.0]), []
    monkeypatch.setattr(calibrating.os, "sched_getaffinity", lambda pid: {3, 5})
    monkeypatch.setattr(calibrating.os, "sched_setaffinity", lambda pid, cpus: used.append(set(cpus)))
    calibrate(0.1, ("spin",), machine.cpu_ns, machine.wall_s)
    assert used[:3] == [{3}, {5}, {3}]
    assert used[-1] == {3, 5}


def test_calibration_command_prints_one_json_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "servers.calibrate", "0.1", "hash"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    measured = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert measured["fastest_hash_rounds_per_ms"] >= measured["hash_rounds_per_ms"] > 0
    assert "spin_units_per_ms" not in measured


def test_a_kind_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrating.main(["1", "sing"]) == 2
    assert capsys.readouterr().err == "calibrate: found 'sing', allowed: spin, hash\n"
