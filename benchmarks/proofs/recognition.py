"""A run that its generator limits and one that its server limits are told apart."""

from collections import Counter
from pathlib import Path

from benchmarks.proofs.running import CONSOLE
from benchmarks.subjects import THREAD_EACH
from benchmarks.sweeping import sweep


def holds(directory: Path) -> bool:
    """The same server, once with a generator that is given a tenth of a CPU, once with enough of it and more work."""
    base = {"models": [THREAD_EACH], "warmup": "1s", "duration": "3s", "repeat": 10}
    _, starved = sweep(
        directory, name="client-bound", limits={"cpus": 1}, load={"users": 8, "worker_cpus": 0.1}, **base
    )
    _, loaded = sweep(
        directory, name="server-bound", limits={"cpus": 0.5}, workload={"spin": "2ms"}, load={"users": 8}, **base
    )
    found = {name: Counter(row["verdict"] for row in rows) for name, rows in (("client", starved), ("server", loaded))}
    for name, counts in found.items():
        CONSOLE.print(f"rigged {name}-bound: {dict(counts)}", highlight=False)
    return all(found[name][f"{name}-bound"] == 10 for name in ("client", "server"))
