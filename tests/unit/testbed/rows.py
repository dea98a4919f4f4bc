"""Rows of trials.csv for tests: a plausible measurement of a cell, with what a test wants to be different."""

from dataclasses import asdict
from typing import Any

from testbed.plan.cell import Cell
from testbed.results.columns import COLUMNS

MEASURED: dict[str, Any] = {
    "block": 1,
    "canary": False,
    "status": "ok",
    "verdict": "server-bound",
    "unsteady": False,
    "throughput_rps": 1500.0,
    "latency_p50_us": 950,
    "latency_p99_us": 12_300,
    "latency_max_us": 20_000,
    "achieved_over_offered": None,
    "cpu_used_s": 2.34,
    "cpu_us_per_request": 390.0,
    "periods": 40,
    "throttled_periods": 10,
    "memory_peak_bytes": int(14.2 * 2**20),
    "users_starved": 0,
    "failed": 0,
}


def row(cell: Cell, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(COLUMNS), **asdict(cell), **MEASURED, **values}
