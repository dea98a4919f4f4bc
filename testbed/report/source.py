"""A results directory, read for a report: with its summary, and what load and probe have left of each trial."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.errors import UserError
from testbed.results import reading
from testbed.results.reading import StoredRun, json_file, some
from testbed.results.summary import summary

Row = dict[str, Any]


@dataclass(frozen=True)
class Results(StoredRun):
    """What a sweep, or a number of runs by hand, has left in `path`."""

    summary: dict[str, Any] = field(default_factory=dict)
    """As in summary.json, of these rows."""

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
        return json_file(self.path / "trials" / trial_id / name)

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


def read(directory: Path) -> Results:
    """What is there. UserError when `directory` holds no results, or none of its trials has ended."""
    run = reading.read(directory)
    if not run.rows:
        raise UserError(f"{directory}: no finished trial here, so there is nothing to report; run the sweep first")
    problems = list(run.problems)
    for name, what in (("load.json", "latency distribution"), ("probe.json", "times of the probe's samples")):
        # Of several servers each has its own, under its name.
        trials = {row["trial_id"]: directory / "trials" / row["trial_id"] for row in run.rows}
        lacking = [trial_id for trial_id, place in trials.items() if not any(place.glob(f"*{name}"))]
        if lacking and not run.manifest.get("by_hand"):
            problems.append(f"{name} is missing for {some(lacking)}: no {what} of these")
    seed = run.manifest.get("seed")
    models = [str(model) for model in run.sweep.get("models") or ()]
    found = summary(run.rows, seed if isinstance(seed, int) else 0, run.capacity, models)
    return Results(run.path, run.manifest, run.sweep, run.rows, run.capacity, tuple(problems), found)
