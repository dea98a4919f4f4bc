"""A results directory as it lies there, read for a report: whole, cut off, or with files missing."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.errors import UserError
from testbed.results import searches
from testbed.results.directory import COLUMNS, known_of, row_of, search_place
from testbed.results.summary import summary

Row = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """What a sweep, or a number of runs by hand, has left in `path`."""

    path: Path
    manifest: dict[str, Any]
    sweep: dict[str, Any]
    """The sweep as resolved, in the form of a sweep file; empty where there is none."""
    rows: list[Row]
    """One per trial, with the columns of trials.csv, in the order of the trials' names. None is "not known"."""
    summary: dict[str, Any]
    """As in summary.json, of these rows."""
    capacity: list[Row] = field(default_factory=list)
    """The rows of capacity.csv: what each search has found."""
    problems: tuple[str, ...] = ()
    """One line for each file that is missing or cannot be read."""

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def by_hand(self) -> bool:
        """Whether these are runs from the web page: each for itself, in no blocks."""
        return bool(self.manifest.get("by_hand"))

    @property
    def is_search(self) -> bool:
        """Whether the sweep searched for the highest rate that holds an objective."""
        return any(row["mode"] in ("capacity", "relative") for row in self.rows)

    @property
    def slo_p99_us(self) -> float | None:
        """The objective of a search, in microseconds."""
        return next((row["slo_p99_us"] for row in self.capacity), None)

    def file(self, trial_id: str, name: str) -> dict[str, Any] | None:
        """A JSON file of a trial's directory; None where it is not there or cannot be read."""
        return _json(self.path / "trials" / trial_id / name)

    def series(self, trial_id: str, name: str = "probe.ndjson") -> list[dict[str, Any]]:
        """A probe's samples of a trial; none where they are not there. A torn line is left out."""
        try:
            lines = (self.path / "trials" / trial_id / name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        parsed = [_parsed(line) for line in lines]
        return [one for one in parsed if one is not None and isinstance(one.get("unix"), int | float)]


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def read(directory: Path) -> Results:
    """What is there. UserError when `directory` holds no results, or none of its trials has ended."""
    manifest = _json(directory / "manifest.json")
    if manifest is None:
        raise UserError(
            f"{directory}: no results here, manifest.json is missing or cannot be read; allowed: a directory such as "
            "results/<sweep>-<time>; `orchestrate.py results` lists them"
        )
    problems: list[str] = []
    rows = _rows(directory, manifest, problems)
    if not rows:
        raise UserError(f"{directory}: no finished trial here, so there is nothing to report; run the sweep first")
    sweep = _sweep(directory / "sweep.yaml", problems)
    for name, what in (("load.json", "latency distribution"), ("probe.json", "times of the probe's samples")):
        # Of several servers each has its own, under its name.
        trials = {row["trial_id"]: directory / "trials" / row["trial_id"] for row in rows}
        lacking = [trial_id for trial_id, place in trials.items() if not any(place.glob(f"*{name}"))]
        if lacking and not manifest.get("by_hand"):
            problems.append(f"{name} is missing for {_some(lacking)}: no {what} of these")
    seed = manifest.get("seed")
    searched = searches.read(directory)
    found = summary(rows, seed if isinstance(seed, int) else 0, searched)
    return Results(directory, manifest, sweep, rows, found, searched, tuple(problems))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more trials" if len(names) > 3 else "")


def _sweep(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        problems.append("sweep.yaml is missing or cannot be read: what was planned is not known")
        return {}
    return value if isinstance(value, dict) else {}


def _rows(directory: Path, manifest: dict[str, Any], problems: list[str]) -> list[Row]:
    """From the trials' records; a trial whose record is gone from trials.csv, so that none is dropped silently."""
    rows: dict[str, Row] = {}
    for path in sorted((directory / "trials").glob("*/trial.json")):
        record = _json(path)
        if record is None or not isinstance(record.get("reasons"), list) or "verdict" not in record:
            problems.append(f"trials/{path.parent.name}/trial.json cannot be read")
            continue
        rows[path.parent.name] = row_of(record) | {"trial_id": path.parent.name}
    listed = searches.read_csv(directory / "trials.csv")
    lost = [row for row in listed if row["trial_id"] not in rows and row.get("verdict")]
    if lost:
        names = _some([row["trial_id"] for row in lost])
        problems.append(f"trial.json is missing for {names}: taken from trials.csv")
    return sorted(
        [*rows.values(), *(known_of(manifest, _complete(row)) for row in lost)], key=lambda row: str(row["trial_id"])
    )


def _complete(row: Row) -> Row:
    place = {} if "search_id" in row else search_place({"mode": None, **row})
    return {name: row.get(name) for name in COLUMNS} | {"reasons": row.get("reasons") or ""} | place
