"""Runs that their generator limits, their front and their server are told apart."""

from collections import Counter
from pathlib import Path

from benchmarks.proofs.running import CONSOLE
from benchmarks.subjects import LOOP, THREAD_EACH
from benchmarks.sweeping import sweep


def holds(directory: Path) -> bool:
    """With a generator that is given a tenth of a CPU; with a front that is given a twentieth; with enough of both, and
    more work for the server."""
    base = {"models": [THREAD_EACH], "warmup": "1s", "duration": "3s", "repeat": 10}
    _, starved = sweep(
        directory, name="client-bound", limits={"cpus": 1}, load={"users": 8, "worker_cpus": 0.1}, **base
    )
    _, loaded = sweep(
        directory, name="server-bound", limits={"cpus": 0.5}, workload={"spin": "2ms"}, load={"users": 8}, **base
    )
    _, narrow = sweep(
        directory,
        name="front-bound",
        limits={"cpus": 0.9},
        workload={"connection": "per-request"},
        load={"users": 8},
        front={"kind": "haproxy", "cpus": 0.05},
        **base | {"models": [LOOP]},
    )
    runs = (("client", starved), ("front", narrow), ("server", loaded))
    found = {name: Counter(row["verdict"] for row in rows) for name, rows in runs}
    for name, counts in found.items():
        CONSOLE.print(f"rigged {name}-bound: {dict(counts)}", highlight=False)
    return all(counts[f"{name}-bound"] == 10 for name, counts in found.items())
