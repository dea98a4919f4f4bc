"""Sweeps whose trials are judged, and what was found of each."""

import csv
import json
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.stack import containers_of, terminal

Record = dict[str, Any]


def records(tmp_path: Path, meddle: Callable[[str], None] | None = None, **fields: Any) -> list[Record]:
    """Those of the trials of a sweep with these fields; `meddle(name)` is called when the first window opens."""
    name = f"test-{secrets.token_hex(4)}"
    base: dict[str, Any] = {
        "name": name,
        "models": ["spmt"],
        "limits": {"cpus": 0.5, "memory": "64MiB"},
        "workload": {"sleep": "2ms", "spin": "300us"},
        "load": {"users": 4},
        "warmup": "1s",
        "duration": "3s",
        "order": {"shuffle": False},
    }
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(base | fields))
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        if meddle is not None:
            shown.wait_for("cpu window")
            meddle(name)
        code = shown.end()
    (results,) = (tmp_path / "results").iterdir()
    found: list[Record] = [json.loads(record.read_text()) for record in results.glob("trials/*/trial.json")]
    assert code == (1 if "invalid" in {record["verdict"] for record in found} else 0), shown.output
    with (results / "trials.csv").open() as file:
        verdicts = {row["trial_id"]: row["verdict"] for row in csv.DictReader(file)}
    assert verdicts == {record["trial_id"]: record["verdict"] for record in found}
    assert containers_of(name) == []
    return found


def run(tmp_path: Path, **fields: Any) -> Record:
    """The record of the only trial of a sweep with these fields."""
    (found,) = records(tmp_path, **fields)
    return found


def values(cells: Iterable[dict[str, Any]], *names: str) -> dict[str, list[Any]]:
    """What a sweep file lists for each of these axes to have these cells among all combinations."""
    cells = list(cells)
    return {name: list(dict.fromkeys(cell[name] for cell in cells)) for name in names}


def others(cells: Iterable[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """What it leaves out to have these alone, which all differ in `key`."""
    cells = list(cells)
    every = values(cells, *cells[0])
    left_out = ((cell, name, [one for one in every[name] if one != cell[name]]) for cell in cells for name in every)
    return [{key: cell[key], name: found} for cell, name, found in left_out if found and name != key]


def failed(record: Record, *, but: tuple[str, ...] = ("isolation",)) -> set[str]:
    """The gates that failed, without those that this machine, or the rig by its nature, fails too."""
    return {gate["name"] for gate in record["gates"] if gate["status"] == "fail"} - {*but, "disturbed"}
