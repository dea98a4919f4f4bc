"""A sweep of three trials in a lab, and what is there of it afterwards."""

import csv
from pathlib import Path
from typing import Any

import yaml

from testbed.names import COMPANIONS, image_name

FIRST, SECOND, THIRD = (f"00{number}-b{number}-event-loop-0.5cpu" for number in (1, 2, 3))


def write_sweep(directory: Path, **fields: Any) -> Path:
    base: dict[str, Any] = {
        "name": "lab",
        "models": ["event-loop"],
        "limits": {"cpus": 0.5, "memory": "64MiB"},
        "load": {"users": 4},
        "warmup": "1s",
        "duration": "3s",
        "repeat": 3,
        # They are there: nothing is built on an engine that has no way out.
        "images": {name: image_name(name) for name in ("event-loop", *COMPANIONS)},
    }
    path = directory / "sweep.yaml"
    path.write_text(yaml.safe_dump(base | fields))
    return path


def rows_of(results: Path) -> list[dict[str, str]]:
    """Of the trials.csv of the one sweep there."""
    (directory,) = results.iterdir()
    with (directory / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def ids(rows: list[dict[str, str]]) -> list[str]:
    return [row["trial_id"] for row in rows if row["status"] == "ok"]


def finished(results: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in results.glob("*/trials/*/trial.json")}
