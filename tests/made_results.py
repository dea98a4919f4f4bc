"""A results directory as a sweep leaves it, with every file of every trial, from made-up numbers: the same each "
"time."""

import json
import random
from pathlib import Path
from typing import Any

from testbed.plan import sweepfile, trials
from testbed.plan.cell import Cell
from testbed.plan.steps import program
from testbed.results.directory import csv_text
from tests.unit.testbed.made_runs import MACHINE, make_run, record

MODELS = ("spst", "spmt", "mpst", "prefork", "event-loop")
# How many requests each serves of what the CPU limit allows, and how long it takes: any numbers that differ.
STRENGTH = dict(zip(MODELS, (0.5, 0.9, 0.6, 1.0, 0.98), strict=True))
HOSTILE = "</script><script>window.hostile = true</script><b>bold</b>"
OPENS = 1_700_000_000.0
SMALL = {"models": list(MODELS), "limits": {"cpus": [0.5, 1.0]}, "load": {"users": [8]}, "repeat": 3}
LARGE = {
    "models": list(MODELS),
    "limits": {"cpus": [0.25, 0.5, 1.0, 2.0]},
    "workload": {"spin": "300us"},
    "load": {"users": [1, 4, 8, 16, 32]},
    "repeat": 5,
}
"""500 trials, of which one in fifty is invalid and one in fifty client-bound."""


def large(path: Path) -> Path:
    """500 trials."""
    return make_results(path, LARGE)


def make_results(path: Path, sweep: dict[str, Any] | None = None, **changes: Any) -> Path:
    """Write the directory and return it. `changes` replaces what every trial's record says."""
    chance = random.Random(7)

    def measured(cell: Cell, block: int) -> dict[str, Any]:
        rate = 2_000 * STRENGTH.get(cell.model, 0.7) * cell.cpus * min(1.0, cell.users / 8) * chance.uniform(0.98, 1.02)
        draw = chance.random() if sweep is LARGE else 1.0
        verdict = "invalid" if draw < 0.02 else "client-bound" if draw < 0.04 else "server-bound"
        return {
            "verdict": verdict,
            "status": "failed" if verdict == "invalid" else "ok",
            "reasons": [f"as it was made: {HOSTILE}"],
            "throughput_rps": round(rate, 2),
            "latency_p50_us": round(4_000 / cell.cpus),
            "latency_p99_us": round(30_000 / cell.cpus / STRENGTH.get(cell.model, 0.7) * chance.uniform(0.97, 1.03)),
            "ok": round(rate * 10),
            "cpu_us_per_request": round(450 / STRENGTH.get(cell.model, 0.7), 1),
            "throttled_s": 4.0,
            "window_s": 10.0,
            "pss_bytes": 30 * 2**20,
            "voluntary_switches": round(rate * 5),
            "involuntary_switches": round(rate),
            "accept_queue_max": 9,
            "listen_overflows": 3,
            **changes,
        }

    make_run(path, sweep or SMALL, measured=measured)
    for directory in sorted((path / "trials").iterdir()):
        _complete(directory, chance)
    return path


SEARCH = {
    "models": list(MODELS),
    "limits": {"cpus": [0.5, 1.0]},
    "load": {"mode": "relative", "slo": {"p99": "50ms"}, "at": [0.5, 0.9]},
    "repeat": 5,
}


def make_search(path: Path, most_rps: dict[str, float] | None = None) -> Path:
    """A search of the highest rate, as the sweep's own program makes it. `most_rps` is what each model sustains at
    1 CPU (0: no rate at all); by default 2,000 times its strength."""
    chance = random.Random(11)
    sustained = {model: 2_000 * strength for model, strength in STRENGTH.items()} | (most_rps or {})
    make_run(path, SEARCH, measured=lambda cell, block: None)
    sweep = sweepfile.load(path / "sweep.yaml", MACHINE)
    answers = []
    for entry in trials.trials(sweep):
        steps = program(entry, sweep)
        most = sustained[entry.cell.model] * entry.cell.cpus * chance.uniform(0.98, 1.02)
        try:
            trial = next(steps)
            while True:
                rate = trial.cell.rate_rps or 0.0
                over = rate > most
                about = {
                    "throughput_rps": min(rate, most),
                    "achieved_over_offered": most / rate if over else 1.0,
                    "latency_p99_us": 400_000 if over else 20_000,
                    "latency_p50_us": 5_000,
                    "ok": round(rate * 10),
                    "verdict": "server-bound" if over else "not-saturated",
                }
                place = path / "trials" / trial.trial_id
                place.mkdir(parents=True)
                (place / "trial.json").write_text(json.dumps(record(trial, **about)))
                trial = steps.send({**about, "failed": 0})
        except StopIteration as end:
            answers.append(end.value.row())
    (path / "capacity.csv").write_text(csv_text(answers, answers[0]))
    return path


def _complete(directory: Path, chance: random.Random) -> None:
    """The files beside the record: the load's, the probe's, and the workers in the exit report."""
    record = json.loads((directory / "trial.json").read_text())
    workers = [{"pid": 10 + n, "accepted": 5, "served": 1000 - 200 * n} for n in range(record["workers"])]
    (directory / "trial.json").write_text(json.dumps(record | {"exit_report": {"workers": workers}}))
    middle = record["latency_p50_us"] or 1_000
    buckets = [[middle + 64 * step, middle + 64 * (step + 1), chance.randint(1, 400)] for step in range(150)]
    load = {"window": {"opens_unix": OPENS, "duration_s": 10.0}, "histograms": {"unit": "us", "latency": buckets}}
    (directory / "load.json").write_text(json.dumps(load))
    probe = {"closed": {"processes": max(1, record["workers"])}, "window": {"opens_unix": OPENS}}
    (directory / "probe.json").write_text(json.dumps(probe))
    samples = [
        {"unix": OPENS - 2 + step / 4, "accept_queue": chance.randint(0, 9), "listen_overflows": 7 + step // 16}
        for step in range(48)
    ]
    (directory / "probe.ndjson").write_text("".join(json.dumps(one) + "\n" for one in samples))
