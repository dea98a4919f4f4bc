"""Results of a ramp and a steady load beside it, with every file the report reads, from made-up numbers."""

import json
import math
from pathlib import Path
from typing import Any

from tests.made_scaling import OPENS
from tests.unit.testbed.made_runs import make_run

RAMP, STEADY = "100-200x10s", "105x10s"
SWEEP = {
    "models": ["spmt", "event-loop"],
    "limits": {"cpus": 0.5},
    "load": {"mode": "open", "profile": [RAMP, STEADY], "objective": {"p99": "100ms"}},
    "duration": "10s",
    "repeat": 3,
}
BROKEN_AT = 6
"""The ramp's second from which on the objective is broken; 150 requests/s are served there."""
Seconds = list[Any]


def at_most(first: int, low: float, high: float) -> list[float]:
    """Ten seconds: `low`, and from the first of them `high`."""
    return [high if second >= first else low for second in range(10)]


READ: dict[str, dict[str, list[float]]] = {
    RAMP: {
        "cpu": at_most(4, 0.3, 0.47),
        "throttled": at_most(5, 1, 6),
        "wait": at_most(7, 0.1, 0.9),
        "queue": at_most(3, 0, 2),
        # At 150 requests/s 3.3 are 0.22 of what arrives within the objective.
        "in_flight": at_most(5, 1, 40),
        "failed": [0] * 10,
    },
    STEADY: {
        "cpu": [0.35] * 10,
        "throttled": [1] * 10,
        "wait": [0.1] * 10,
        "queue": [0, 0, 1, 1, 0, 0, 1, 0, 0, 0],
        "in_flight": [1] * 10,
        "failed": [0] * 10,
    },
}
"""By profile and second: CPUs used, periods of ten in which it was stopped, seconds of run-queue wait, connections that
wait, requests in flight and failed. The accept queue is first, and alarms twice under the steady load; then comes the
CPU, 2 s before the objective breaks; errors never come."""


def make_ramps(path: Path, **changes: Any) -> Path:
    """Three blocks; in the second the CPU tells a second later. The threads of `spmt` end, so that their wait is not
    known. `changes`: of the sweep."""
    window = {"verdict": "transient", "window_s": 10.0, "failed": 0, "missed": 0}
    make_run(path, SWEEP | changes, measured=lambda cell, block: window | {"throughput_rps": 100.0 + block})
    for directory in sorted((path / "trials").iterdir()):
        record = json.loads((directory / "trial.json").read_text())
        read = READ[record["profile"]]
        if record["block"] == 2 and record["profile"] == RAMP:
            read = read | {"cpu": at_most(5, 0.3, 0.47)}
        _write(directory, record, read)
    return path


def _write(directory: Path, record: dict[str, Any], read: dict[str, list[float]]) -> None:
    rises = record["profile"] == RAMP
    slices = []
    for second in range(10):
        rate, broken = (105 + 10 * second if rises else 105), rises and second >= BROKEN_AT
        counts = {"ok": 150 if broken else rate, "failed": read["failed"][second], "offered": rate, "missed": 0}
        times = {"p50_us": 9_000, "p99_us": 300_000 if broken else 20_000, "in_flight": read["in_flight"][second]}
        slices.append({"start_s": float(second), "duration_s": 1.0, "in_window": True, **counts, **times})
    window = {"opens_unix": OPENS, "duration_s": 10.0}
    (directory / "load.json").write_text(json.dumps({"window": window, "slices": slices}))
    samples = [_sample(record["model"], number / 4, read) for number in range(-4, 41)]
    (directory / "probe.ndjson").write_text("".join(json.dumps(one) + "\n" for one in samples))
    (directory / "probe.json").write_text(json.dumps({"closed": {"processes": 1}}))


def _sample(model: str, at_s: float, read: dict[str, list[float]]) -> dict[str, Any]:
    """Counters grow evenly within a second; a queue is as long as that in which the sample is taken, ends included."""
    second = max(math.ceil(at_s) - 1, 0)
    grown = {name: sum(read[name][:second]) + read[name][second] * (at_s - second) for name in read}
    detail = {"run_queue_wait_us": None if model == "spmt" else round(grown["wait"] * 1e6)}
    return {
        "unix": OPENS + at_s,
        "cpu_used_us": round(grown["cpu"] * 1e6),
        "periods": round(10 * at_s),
        "throttled_periods": round(grown["throttled"]),
        "accept_queue": read["queue"][second],
        **(detail if at_s == int(at_s) else {}),
    }
