"""The runs under results/, what came of them and how much room they take."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed import lock
from testbed.errors import UserError
from testbed.plan import cells, redo, sweepfile
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.results import searches
from testbed.results.runs import read_rows

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Listed:
    """One directory under results/."""

    name: str
    path: str
    started_utc: str | None
    state: str
    """complete, running, interrupted, by hand (runs from the web page), unreadable"""
    trials: int
    planned: int | None
    """None for a search, whose trials follow from what it finds, and where it is not known."""
    verdicts: dict[str, int]
    bytes: int
    report: bool
    """Whether report.html is there."""
    note: str = ""


def list_runs(root: Path, lock_path: Path = lock.PATH) -> list[Listed]:
    """Newest first. A directory without manifest.json is not ours and is not listed. UserError without `root`."""
    if not root.is_dir():
        raise UserError(f"{root}: no such directory: nothing has been measured yet; `make demo` runs a first sweep")
    held = lock.holder(lock_path)
    found = [_listed(path, held) for path in root.iterdir() if (path / "manifest.json").is_file()]
    return sorted(found, key=lambda one: (one.started_utc or "", one.name), reverse=True)


def _listed(path: Path, held: str | None) -> Listed:
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    report = (path / "report.html").is_file()
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        rows = read_rows(path)
        planned = _planned(path, manifest)
    except (OSError, ValueError, UserError) as error:
        return Listed(path.name, str(path), None, "unreadable", 0, None, {}, size, report, str(error))
    verdicts = dict(Counter(row["verdict"] for row in rows))
    return Listed(
        path.name,
        str(path),
        manifest.get("started_utc"),
        _state(path, manifest, rows, planned, held),
        len(rows),
        planned,
        verdicts,
        size,
        report,
    )


def _complete(rows: list[dict[str, Any]], redoes: bool) -> int:
    """How many of the planned trials are through: measured, and measured again where that is owed."""
    return sum(not redo.is_redo(row) for row in rows) - (redo.owed(rows) if redoes else 0)


def _redoes(path: Path) -> bool:
    """Whether the sweep measures disturbed trials again."""
    try:
        sweep = yaml.safe_load((path / "sweep.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return False
    return bool(((sweep or {}).get("order") or {}).get("redo"))


def _planned(path: Path, manifest: dict[str, Any]) -> int | None:
    """How many trials the sweep has; None for a search. Judged on the machine that it ran on, not on this one."""
    if manifest.get("by_hand") or not (path / "sweep.yaml").is_file():
        return None
    sweep = _sweep(path, manifest)
    return None if sweep.load.slo else len(cells.trials(sweep))


def _sweep(path: Path, manifest: dict[str, Any]) -> Sweep:
    host = manifest.get("host") or {}
    return sweepfile.load(path / "sweep.yaml", Machine(host.get("cpus") or 1, host.get("memory_bytes") or 0))


def _searches_over(sweep: Sweep, rows: Rows, searched: Rows) -> bool:
    """Whether every search has ended, with an answer or the reason why there is none, and what follows it is there."""
    over = {row["trial_id"]: row for row in searched}
    finished = {row["trial_id"] for row in rows}
    for entry in cells.trials(sweep):
        if entry.canary:
            if entry.trial_id not in finished:
                return False
            continue
        if entry.trial_id not in over:
            return False
        shares = sum(row["search_id"] == entry.trial_id and row["share"] is not None for row in rows)
        if over[entry.trial_id]["rate_rps"] and shares < len(sweep.load.at or ()):
            return False
    return True


def _state(path: Path, manifest: dict[str, Any], rows: Rows, planned: int | None, held: str | None) -> str:
    run_id = manifest.get("run_id")
    if manifest.get("by_hand"):
        return "by hand"
    if held is not None and run_id is not None and held.startswith(f"{run_id},"):
        return "running"
    # A search has no number of trials to reach, and a summary is written also of one that was cut off.
    if planned is None:
        over = (path / "sweep.yaml").is_file() and _searches_over(_sweep(path, manifest), rows, searches.read(path))
        return "complete" if over else "interrupted"
    return "complete" if _complete(rows, _redoes(path)) >= planned else "interrupted"
