"""The one reader of a results directory: whole, cut off, of an earlier version, or with files that are broken.

There is one answer to what is wrong with a file: a line that names it, and the rest is read. Only without a manifest
that tells what the directory is, or with one of a version to come, nothing of it is read.
"""

import csv
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.errors import UserError
from testbed.plan import redo, steps, sweepfile
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.plan.trials import SEARCHES, Trial
from testbed.plan.trials import trials as planned_trials
from testbed.results.columns import COLUMNS, TEXT_COLUMNS
from testbed.results.directory import SCHEMA_VERSION, known_of, row_of

Row = dict[str, Any]
Manifest = dict[str, Any]

# Trials of version 1 had no verdict.
OLDEST = 2

_TEXT = TEXT_COLUMNS | {"reason"}


@dataclass(frozen=True)
class Trials:
    """The finished trials of a directory, in the order of their names."""

    rows: list[Row]
    """With the columns of trials.csv. None is "not known"."""
    records: dict[str, Row]
    """By name, what their trial.json says; of one that is only listed in trials.csv there is none."""
    broken: frozenset[str]
    """Names of trials that have a trial.json which cannot be read."""
    missing: list[str]
    """Names of trials that trials.csv lists and nothing else is there of."""
    problems: list[str]
    """One line for each record that cannot be read."""

    @property
    def kept(self) -> list[Row]:
        """Without those that only trials.csv lists: whoever has removed a trial's record does not want it any more."""
        return [row for row in self.rows if row["trial_id"] not in self.missing]

    @property
    def unreadable(self) -> set[str]:
        """Names of trials that have a record and no row."""
        return set(self.broken) - {row["trial_id"] for row in self.rows}


@dataclass(frozen=True)
class StoredRun:
    """One results directory, `results/<sweep>-<utc time>/`, or the runs from the web page."""

    path: Path
    manifest: Manifest
    sweep: dict[str, Any]
    """The sweep as resolved, in the form of a sweep file; empty where it cannot be read."""
    rows: list[Row]
    """One per finished trial, with the columns of trials.csv, in the order of their names. None is "not known"."""
    capacity: list[Row] = field(default_factory=list)
    """The rows of capacity.csv; none of a sweep that searches for nothing."""
    problems: tuple[str, ...] = ()
    """One line for each file that is missing or cannot be read."""

    @property
    def name(self) -> str:
        return self.path.resolve().name


def read(path: Path) -> StoredRun:
    """Everything but what load and probe have written. UserError when `path` is no results directory, or one of a
    later version."""
    facts = manifest(path)
    sweep, problems = _sweep(path)
    found = trials(path, facts)
    problems += found.problems
    if found.missing:
        problems.append(f"trial.json is missing for {some(found.missing)}: taken from trials.csv")
    return StoredRun(path, facts, sweep, found.rows, capacity(path), tuple(problems))


def manifest(path: Path) -> Manifest:
    """What manifest.json says. UserError where there is none, or it is of no version that is read here."""
    facts = json_file(path / "manifest.json")
    if facts is None:
        raise UserError(
            f"{path}: no results here, manifest.json is missing or cannot be read; allowed: a directory such as "
            "results/<sweep>-<time>; `orchestrate.py results` lists them"
        )
    if wrong := _wrong_version(facts):
        raise UserError(f"{path / 'manifest.json'}: {wrong}")
    return facts


def _wrong_version(source: Row) -> str:
    """Why a manifest or record of this version is not read; empty when it is."""
    version = source.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and OLDEST <= version <= SCHEMA_VERSION:
        return ""
    told = "not known" if version is None else repr(version)
    return (
        f"its schema_version is {told}, allowed: {OLDEST} to {SCHEMA_VERSION}; read it with the version that wrote it"
    )


def json_file(path: Path) -> dict[str, Any] | None:
    """The object that a file of JSON holds; None where it is not there, cannot be read, or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def trial_record(path: Path) -> tuple[Row | None, str]:
    """The record in a trial's directory, and what is wrong with it where it is no whole record of that trial."""
    value = json_file(path / "trial.json")
    if value is None:
        return None, "cannot be read"
    if wrong := _wrong_version(value):
        return None, f"cannot be read: {wrong}"
    if value.get("trial_id") != path.name:
        return None, f"cannot be read: it is of another trial, {value.get('trial_id')!r}"
    reasons, verdict = value.get("reasons"), value.get("verdict")
    if not isinstance(reasons, list) or not isinstance(verdict, str) or not verdict:
        return None, "cannot be read: it has no verdict"
    return value, ""


def trials(path: Path, facts: Manifest) -> Trials:
    """The finished trials: from their records, and from trials.csv where a record is gone or broken, so that none is
    dropped silently. `facts`: the manifest, which tells the version of trials.csv."""
    records: dict[str, Row] = {}
    broken: dict[str, str] = {}
    for file in sorted((path / "trials").glob("*/trial.json")):
        record, wrong = trial_record(file.parent)
        if record is None:
            broken[file.parent.name] = wrong
        else:
            records[file.parent.name] = record
    listed = {
        row["trial_id"]: row
        for row in table(path / "trials.csv")
        if row.get("trial_id") and row["trial_id"] not in records and row.get("verdict")
    }
    problems = [
        f"trials/{name}/trial.json {wrong}{'; taken from trials.csv' * (name in listed)}"
        for name, wrong in broken.items()
    ]
    rows = {name: row_of(record) for name, record in records.items()}
    rows |= {name: known_of(facts, _complete(row)) for name, row in listed.items()}
    unplaced = [name for name, told in (records | listed).items() if _is_unplaced(told)]
    if unplaced:
        problems += _place(path, facts, {name: rows[name] for name in unplaced})
    if untold := [name for name, told in (records | listed).items() if "redo_of" not in told]:
        _tell_redos(path, facts, rows, untold)
    return Trials(
        [rows[name] for name in sorted(rows)],
        records,
        frozenset(broken),
        sorted(listed.keys() - broken.keys()),
        problems,
    )


def some(names: list[str]) -> str:
    """At most three of them, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more trials" if len(names) > 3 else "")


def _complete(row: Row) -> Row:
    return {name: row.get(name) for name in COLUMNS} | {"reasons": row.get("reasons") or ""}


def _is_unplaced(told: Row) -> bool:
    """Whether it is a trial of a search from before records said where in it."""
    return "search_id" not in told and told.get("mode") in SEARCHES


def _place(path: Path, facts: Manifest, rows: dict[str, Row]) -> list[str]:
    """Give trials of searches their places, where their records do not hold them: the plan names them once more."""
    places: dict[str, Trial] = {}
    with suppress(UserError):
        places = {trial.trial_id: trial for trial in steps.every_trial(planned(path, facts))}
    for name, row in rows.items():
        if trial := places.get(name):
            row |= {"search_id": trial.search_id, "step": trial.step, "share": trial.cell.share}
    lost = [name for name in rows if name not in places]
    return [f"sweep.yaml does not tell of which search is {some(lost)}"] if lost else []


def _tell_redos(path: Path, facts: Manifest, rows: dict[str, Row], untold: list[str]) -> None:
    """Say which of these measures which trial again, where their records do not: as the plan would name it."""
    names = set(rows)
    with suppress(UserError):
        names |= {trial.trial_id for trial in planned_trials(planned(path, facts))}
    redone = {redo.redo_id(name): name for name in names}
    for name in untold:
        rows[name]["redo_of"] = redone.get(name)


def planned(path: Path, facts: Manifest) -> Sweep:
    """The sweep, judged on the machine that it ran on, not on this one. UserError where sweep.yaml cannot be read."""
    host = facts.get("host") or {}
    return sweepfile.load(path / "sweep.yaml", Machine(host.get("cpus") or 1, host.get("memory_bytes") or 0))


def _sweep(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        value = yaml.load((path / "sweep.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        value = None
    if isinstance(value, dict):
        return value, []
    return {}, ["sweep.yaml is missing or cannot be read: what was planned is not known"]


def capacity(path: Path) -> list[Row]:
    """The rows of capacity.csv; those from before a search could end without an answer are all answers."""
    rows = table(path / "capacity.csv")
    return [{"answered": row.get("rate_rps") is not None, "reason": None, **row} for row in rows]


def table(path: Path) -> list[Row]:
    """The rows of trials.csv or capacity.csv with the types they had; none where the file is missing or broken."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: _value(name, text) for name, text in row.items()} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def _value(name: str, text: str | None) -> Any:
    if not text:
        return None
    if name in _TEXT:
        return text
    if text in ("True", "False"):
        return text == "True"
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() and "." not in text else number
