"""How far repeats of one cell lie apart."""

import statistics
from collections import Counter
from pathlib import Path

from benchmarks.proofs.running import CONSOLE
from benchmarks.subjects import LOOP
from benchmarks.sweeping import NotMeasured, is_valid, sweep


def holds(directory: Path) -> bool:
    """Ten repeats of one cell at 0.5 CPU. There is no claim to fail: the figure is what a reader has to know."""
    _, rows = sweep(
        directory,
        name="repeatability",
        models=[LOOP],
        limits={"cpus": 0.5},
        workload={"sleep": "5ms", "spin": "500us", "connection": {"requests": 20}},
        load={"users": 16},
        warmup="2s",
        duration="5s",
        repeat=10,
    )
    rates = [float(row["throughput_rps"]) for row in rows if is_valid(row)]
    if len(rates) < 2:
        raise NotMeasured(f"{len(rates)} of {len(rows)} trials are valid")
    spread = statistics.stdev(rates) / statistics.fmean(rates)
    CONSOLE.print(f"throughput {', '.join(f'{rate:.0f}' for rate in rates)} per second", highlight=False)
    CONSOLE.print(f"coefficient of variation {spread:.1%}; verdicts {dict(Counter(row['verdict'] for row in rows))}")
    return len(rates) == 10
