"""What a trial costs beyond its warm-up and window: a fresh container, readiness, verification, stop, collection.

    python -m benchmarks.trial_overhead [--repeat N]

A sweep over all eight models with windows of one second; the overhead is the column `overhead_s` of trials.csv.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import Spread, Table, as_json, run
from benchmarks.sweeping import is_valid, rows
from servers.models import MODELS


def measure(repeat: int = 2) -> dict[str, Any]:
    """One row a model, and one of all trials."""
    found = rows(
        name="bench-overhead",
        models=list(MODELS),
        limits={"cpus": 0.5},
        warmup="1s",
        duration="1s",
        repeat=repeat,
    )
    valid = [row for row in found if is_valid(row)]
    values = {model: [float(row["overhead_s"]) for row in valid if row["model"] == model] for model in MODELS}
    everything = [value for of_model in values.values() for value in of_model]
    lines = [
        (name, len(these), Spread.of(these) if these else None) for name, these in {**values, "all": everything}.items()
    ]
    command = f"python -m benchmarks.trial_overhead --repeat {repeat}"
    columns = ("model", "trials", "overhead (s)")
    return as_json(Table("trial_overhead", command, "median and range", columns, tuple(lines)))


if __name__ == "__main__":
    run(measure)
