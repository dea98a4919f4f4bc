"""The server's own count is the clients'."""

import json
from collections import Counter
from pathlib import Path

from benchmarks.proofs.running import CONSOLE
from benchmarks.sweeping import sweep
from servers.models import MODELS


def holds(directory: Path) -> bool:
    """50 trials and more over all models: sent = ok + failed + in flight, and the server served what was answered."""
    results, rows = sweep(
        directory,
        name="conservation",
        models=list(MODELS),
        limits={"cpus": 1, "memory": "256MiB"},
        workload={"sleep": "1ms", "connection": ["persistent", {"requests": 7}, "per-request"]},
        load={"users": [1, 4, 12]},
        warmup="1s",
        duration="2s",
        exclude=[{"connection": "per-request", "users": 4}],
    )
    records = [json.loads(path.read_text()) for path in results.glob("trials/*/trial.json")]
    gates = [next(gate for gate in record["gates"] if gate["name"] == "conservation") for record in records]
    counts = Counter(gate["status"] for gate in gates)
    for record, gate in zip(records, gates, strict=True):
        if gate["status"] != "pass":
            CONSOLE.print(f"{record['trial_id']}: {gate['status']}: {gate['found']}; allowed: {gate['allowed']}")
    ok = sum(int(row["ok"] or 0) for row in rows)
    CONSOLE.print(f"{dict(counts)} of {len(rows)} trials, {ok:,} requests in their windows", highlight=False)
    return counts["pass"] == len(rows) >= 50
