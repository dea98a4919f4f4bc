import itertools
import json
import subprocess
import sys
import threading
import time

import pytest

from servers import work
from servers.calibrate import ROUNDS, SAMPLES, UNITS, calibrate
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


def test_calibration_is_the_median_of_its_samples() -> None:
    ticks = itertools.count()
    measured = calibrate(lambda: next(ticks) * 20_000_000)
    assert measured == {
        "spin_units_per_ms": UNITS / 20,
        "hash_rounds_per_ms": ROUNDS / 20,
        "samples": [UNITS / 20] * SAMPLES,
        "hash_samples": [ROUNDS / 20] * SAMPLES,
    }


def test_calibration_command_prints_one_json_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "servers.calibrate"], capture_output=True, text=True, check=True, timeout=60
    )
    measured = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert measured["spin_units_per_ms"] > 0
    assert measured["hash_rounds_per_ms"] > 0
    assert len(measured["samples"]) == len(measured["hash_samples"]) == SAMPLES
