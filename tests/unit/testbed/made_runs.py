"""A results directory with rows that a test makes up, as a sweep leaves it."""

import json
from pathlib import Path
from typing import Any

import yaml

from testbed.plan import sweepfile, trials
from testbed.plan.cell import Cell
from testbed.plan.fields import Machine
from testbed.plan.trials import Trial
from testbed.results.directory import SCHEMA_VERSION
from tests.unit.testbed.rows import MEASURED

MACHINE = Machine(2, 2**33)
SWEEP = {"name": "made", "models": ["spst", "spmt"], "limits": {"cpus": [0.5, 1.0]}, "repeat": 3}


def manifest(**values: Any) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": "made-0000",
        "started_utc": "2026-01-02T03:04:05+00:00",
        "host": {"cpu_model": "a", "cpus": 2, "memory_bytes": 2**33, "kernel": "6.1"},
        "engine": {"ServerVersion": "29.0"},
        "images": {"spst": "sha256:1"},
        "threadmill": {"version": "0.1.0", "commit": "c" * 40, "uncommitted_changes": False},
        "calibration": {"spin_units_per_ms": 1000.0},
        **values,
    }


def record(trial: Trial, **values: Any) -> dict[str, Any]:
    named = {
        "schema_version": SCHEMA_VERSION,
        "trial_id": trial.trial_id,
        "block": trial.block,
        "canary": trial.canary,
        "reasons": ["because"],
    }
    named |= {"search_id": trial.search_id, "step": trial.step, "redo_of": trial.redo_of}
    return {**vars(trial.cell), **MEASURED, **named, **values}


def make_run(path: Path, sweep: dict[str, Any] | None = None, **about: Any) -> Path:
    """`about`: `manifest` replaces its fields, `measured(cell, block)` gives what a trial's record says instead of
    MEASURED, or None for a trial that is not there."""
    parsed = sweepfile.parse(yaml.dump({**SWEEP, **(sweep or {})}, Dumper=yaml.CSafeDumper), path, MACHINE)
    measured = about.get("measured", lambda cell, block: {})
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps(manifest(**about.get("manifest", {}))))
    (path / "sweep.yaml").write_text(sweepfile.dump(parsed))
    for trial in trials.trials(parsed):
        values = measured(trial.cell, trial.block)
        if values is None:
            continue
        (path / "trials" / trial.trial_id).mkdir(parents=True)
        (path / "trials" / trial.trial_id / "trial.json").write_text(json.dumps(record(trial, **values)))
    return path


def steady(rate: float, **by_model: float) -> Any:
    """Throughput around `rate`, 1 % up and down over the blocks; a factor for a model by its name."""

    def measured(cell: Cell, block: int) -> dict[str, Any]:
        return {"throughput_rps": rate * by_model.get(cell.model, 1.0) * (1 + 0.01 * (block - 2))}

    return measured
