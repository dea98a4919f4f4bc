"""What load workers' reports come to at Locust's master: bytes and CPU time, while a run lasts and at its end.

    python -m benchmarks.many_workers [--rate R] [--seconds S]

Each worker has R requests per second in a window of S seconds, latencies spread over two decades. Its final report has
a histogram for every second. Reports are made, decoded and added up by the code that does it in a run, without a
network: bytes are those of the messages, without headers of TCP.
"""

from __future__ import annotations

import heapq
import json
import random
import subprocess
import sys
import time
from typing import Any

import msgpack

from benchmarks.common import Cell, Spread, Table, as_json, run
from benchmarks.sweeping import PROJECT
from loadtests import fields
from loadtests.record import results
from loadtests.record.recorder import Recorder

_TARGET = "server"
WORKERS = (1, 10, 64, 256)
ROUNDS = 3
# Of a log-normal distribution in seconds: median 11 ms, a hundredth above 45 ms.
_MU, _SIGMA = -4.5, 0.6
_MEAN_S = 0.0133
# What a worker adds to its recorder's report; small beside it.
_COST = {"generator": None, "idle_holders": {}, "connections": {}, "master_clock": None}


def final_report(rate: float, seconds: float) -> dict[str, Any]:
    """Of one worker in a closed loop, with as many users as this rate takes. Pure: the same each time."""
    chance = random.Random(1)
    recorder = Recorder(0.0, 1.0, 1.0 + seconds)
    clocks = [recorder.join() for _ in range(max(1, round(rate * _MEAN_S)))]
    under_way = []
    for place, clock in enumerate(clocks):
        recorder.begin(clock, 0.0)
        heapq.heappush(under_way, (chance.lognormvariate(_MU, _SIGMA), place))
    at = 0.0
    while under_way:
        at, place = heapq.heappop(under_way)
        recorder.ok(clocks[place], at, 64)
        if at < 1.0 + seconds:
            recorder.begin(clocks[place], at)
            heapq.heappush(under_way, (at + chance.lognormvariate(_MU, _SIGMA), place))
    recorder.finish(max(at, 1.0 + seconds))
    return recorder.to_wire() | _COST


def measure(rate: float = 400.0, seconds: float = 20.0) -> dict[str, Any]:
    """One row for each number of workers."""
    sent, regular = msgpack.dumps(final_report(rate, seconds)), _regular(rate)
    lines: list[tuple[Cell, ...]] = []
    for workers in WORKERS:
        took = Spread.of(_took_ms(sent, workers) for _ in range(ROUNDS))
        while_it_lasts = (round(workers * regular["bytes_per_s"]), workers * regular["ms_per_s"])
        lines.append((f"{workers}", *while_it_lasts, len(sent) * workers, took))
    command = f"python -m benchmarks.many_workers --rate {rate:g} --seconds {seconds:g}"
    columns = ("workers", "bytes/s", "ms of CPU a second", "bytes at the end", "ms of CPU at the end")
    notes = (f"{rate:g} requests per second and worker, window of {seconds:g} s",)
    return as_json(Table("many_workers", command, "median and range", columns, tuple(lines), notes))


def _regular(rate: float) -> dict[str, float]:
    """Bytes and milliseconds of the master's CPU for each second and worker."""
    command = [sys.executable, "-m", "benchmarks.worker_reports", str(rate)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def _took_ms(sent: bytes, workers: int) -> float:
    """To decode and merge so many final reports."""
    begun = time.process_time()
    finals = [msgpack.loads(sent, strict_map_key=False) for _ in range(workers)]
    results.merge(fields.parse({}, [_TARGET], _TARGET), "trial", 0.0, 1.0, finals, workers)
    return 1e3 * (time.process_time() - begun)


if __name__ == "__main__":
    run(measure)
