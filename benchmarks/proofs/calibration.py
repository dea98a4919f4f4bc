"""The calibration's claim: a request costs the CPU time that was asked, beyond what a bare echo costs.

At saturation and at 40 % of a CPU, two models, three blocks each: CPU per request less that of a bare echo of the same
block, over what was asked. Claimed of the median of all of them.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.common import Spread, Table, print_table
from benchmarks.subjects import LOOP, THREAD_EACH
from benchmarks.sweeping import Row, rows

ASKED_US = 500
WITHIN = 0.25
# By what share of a CPU the asked work alone fills it: users that wait for each other, or requests on a schedule.
LOADS: dict[str, dict[str, Any]] = {
    "saturated": {"mode": "closed", "users": 8},
    "at 40 %": {"mode": "open", "rate": round(0.4e6 / ASKED_US)},
}


def own_cost(found: list[Row]) -> dict[str, list[float]]:
    """CPU per request less that of a bare echo of the same model and block, over what was asked, by model. Pure."""
    valid = [row for row in found if row["verdict"] != "invalid" and row["cpu_us_per_request"]]
    bare = {
        (row["model"], row["block"]): float(row["cpu_us_per_request"]) for row in valid if not float(row["spin_us"])
    }
    ratios: dict[str, list[float]] = {}
    for row in valid:
        key = (row["model"], row["block"])
        if float(row["spin_us"]) and key in bare:
            ratio = (float(row["cpu_us_per_request"]) - bare[key]) / float(row["spin_us"])
            ratios.setdefault(row["model"], []).append(ratio)
    return ratios


def measure() -> tuple[Table, float | None]:
    """The table, and the median of all ratios; None when no trial was valid."""
    lines: list[tuple[str, Spread, str]] = []
    every: list[float] = []
    for name, load in LOADS.items():
        found = rows(
            name="calibrated",
            models=[THREAD_EACH, LOOP],
            limits={"cpus": 1},
            workload={"spin": ["0us", f"{ASKED_US}us"]},
            load=load,
            warmup="1s",
            duration="1s",
            repeat=3,
        )
        drifts = {row["speed_drift"] for row in found if row["speed_drift"]}
        for model, ratios in own_cost(found).items():
            lines.append((f"{model}, {name}", Spread.of(ratios), ", ".join(sorted(drifts))))
            every += ratios
    table = Table(
        "calibration",
        "python -m benchmarks.proofs calibration",
        f"CPU per request less a bare echo's, of the {ASKED_US} us asked",
        ("model and load", "used / asked", "speed by block"),
        tuple(lines),
    )
    return table, median(every) if every else None


def holds() -> bool:
    """Measure, print, and say whether the claim held."""
    table, middle = measure()
    print_table(table)
    if middle is None:
        print("no trial was valid")
        return False
    print(f"median of all: {middle:.2f} of what was asked; claimed: within {WITHIN:.0%}")
    return abs(middle - 1) <= WITHIN
