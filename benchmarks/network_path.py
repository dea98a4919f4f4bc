"""What the engine's bridge costs: the same trials over it and in one network namespace, in the same blocks.

    python -m benchmarks.network_path [--repeat N]

Ratios are of trials of one block, shared over bridge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.common import Spread, Table, as_json, ratios, run
from benchmarks.subjects import LOOP, THREAD_EACH
from benchmarks.sweeping import Row, is_valid, rows

MODELS = (THREAD_EACH, LOOP)


def measure(repeat: int = 5) -> dict[str, Any]:
    """One row a model: throughput and the server's CPU time per request on both paths, and the ratios."""
    found = rows(
        name="bench-network",
        models=list(MODELS),
        network=["bridge", "shared"],
        limits={"cpus": 1.0},
        load={"users": 16},
        warmup="1s",
        duration="3s",
        repeat=repeat,
    )
    lines = []
    for model in MODELS:
        for name, column, shape in (("requests/s", "throughput_rps", float), ("CPU us", "cpu_us_per_request", float)):
            bridge, shared = (_by_block(found, model, path, column, shape) for path in ("bridge", "shared"))
            both = sorted(bridge.keys() & shared.keys())
            pairs = [bridge[block] for block in both], [shared[block] for block in both]
            lines.append((f"{model} {name}", Spread.of(pairs[0]), Spread.of(pairs[1]), ratios(pairs[1], pairs[0])))
    command = f"python -m benchmarks.network_path --repeat {repeat}"
    columns = ("model", "bridge", "shared", "shared / bridge")
    verdicts = sorted({row["verdict"] for row in found})
    notes = (f"verdicts: {', '.join(verdicts)}; 16 users, echo of 64 bytes, 1 CPU each for server and generator",)
    return as_json(Table("network_path", command, "median and range over blocks", columns, tuple(lines), notes))


def _by_block(found: list[Row], model: str, path: str, column: str, shape: Callable[[str], float]) -> dict[str, float]:
    mine = [row for row in found if row["model"] == model and row["network"] == path and is_valid(row)]
    return {row["block"]: shape(row[column]) for row in mine if row[column]}


if __name__ == "__main__":
    run(measure)
