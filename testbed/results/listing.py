"""The runs under results/, what came of them and how much room they take."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.errors import UserError
from testbed.plan import redo, trials
from testbed.plan.schema import Sweep
from testbed.results import reading
from testbed.results.reading import StoredRun
from testbed.stack import lock

# Of one run; more would hide the others.
MOST_PROBLEMS = 3

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Listed:
    """One directory under results/."""

    name: str
    path: str
    started_utc: str | None
    state: str
    """complete, running, interrupted, by hand (runs from the web page), unreadable (its manifest or its plan)"""
    trials: int
    """Of a trial and its redo one, the one that counts."""
    planned: int | None
    """None for a search, whose trials follow from what it finds, and where it is not known."""
    verdicts: dict[str, int]
    """Of these trials."""
    bytes: int
    report: bool
    """Whether report.html is there."""
    note: str = ""
    """Which of its files cannot be read."""
    redone: int = 0
    """How many of these trials were measured twice."""


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
        run = reading.read(path)
    except UserError as error:
        return Listed(path.name, str(path), None, "unreadable", 0, None, {}, size, report, str(error))
    problems, sweep = list(run.problems), None
    try:
        sweep = _sweep(run)
        state = _state(run, sweep, held)
    except UserError as error:
        problems.append(str(error))
        state = "unreadable"
    counts = redo.counted(run.rows)
    return Listed(
        path.name,
        str(path),
        run.manifest.get("started_utc"),
        state,
        len(counts),
        None if sweep is None or sweep.load.slo else len(trials.trials(sweep)),
        dict(Counter(row["verdict"] for row in counts)),
        size,
        report,
        "; ".join(problems[:MOST_PROBLEMS])
        + f"; {len(problems) - MOST_PROBLEMS} more" * (len(problems) > MOST_PROBLEMS),
        redone=len(run.rows) - len(counts),
    )


def _complete(rows: list[dict[str, Any]], redoes: bool) -> int:
    """How many of the planned trials are through: measured, and measured again where that is owed."""
    return sum(not redo.is_redo(row) for row in rows) - (redo.owed(rows) if redoes else 0)


def _sweep(run: StoredRun) -> Sweep | None:
    """What was planned; None of runs by hand, and where there is no sweep.yaml. UserError where it cannot be read."""
    if run.manifest.get("by_hand") or not (run.path / "sweep.yaml").is_file():
        return None
    return reading.planned(run.path, run.manifest)


def _searches_over(sweep: Sweep, rows: Rows, searched: Rows) -> bool:
    """Whether every search has ended, with an answer or the reason why there is none, and what follows it is there."""
    over = {row["trial_id"]: row for row in searched}
    finished = {row["trial_id"] for row in rows}
    for entry in trials.trials(sweep):
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


def _state(run: StoredRun, sweep: Sweep | None, held: str | None) -> str:
    run_id = run.manifest.get("run_id")
    if run.manifest.get("by_hand"):
        return "by hand"
    if held is not None and run_id is not None and held.startswith(f"{run_id},"):
        return "running"
    if sweep is None:
        return "interrupted"
    # A search has no number of trials to reach, and a summary is written also of one that was cut off.
    if sweep.load.slo:
        return "complete" if _searches_over(sweep, run.rows, run.capacity) else "interrupted"
    through = _complete(run.rows, sweep.order.redo is not None)
    return "complete" if through >= len(trials.trials(sweep)) else "interrupted"
