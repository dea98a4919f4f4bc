"""A directory of claims: which are judged, where the sweep of each has left its results, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from testbed.claims import holm
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Claim, Finding
from testbed.claims.facts import rows_of
from testbed.errors import UserError
from testbed.files import write_json
from testbed.plan import redo, trials
from testbed.report import source
from testbed.results import reading

FILE = "claims.json"
SCHEMA_VERSION = 1
_OF_CLAIM = ("name", "statement", "source", "link", "question", "sweep", "predicate", "processors")

Rows = Sequence[dict[str, Any]]


@dataclass
class Store:
    path: Path
    names: tuple[str, ...]
    quick: bool
    processors: int
    """Of the machine that runs the sweeps."""
    sweeps: dict[str, str] = field(default_factory=dict)
    """By sweep file, the name of the results directory beside claims.json; one that has not begun is not there."""
    refused: dict[str, str] = field(default_factory=dict)
    """By sweep file, why the machine cannot run it."""
    _rows: dict[str, Rows | str] = field(default_factory=dict, repr=False)
    """By sweep file, what has been read of its results."""

    @classmethod
    def read(cls, path: Path) -> "Store":
        """UserError where there is none, or of a version to come."""
        found = reading.json_file(path / FILE) or {}
        if found.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
            raise UserError(
                f"{path / FILE}: its schema_version is {found['schema_version']!r}, allowed: {SCHEMA_VERSION}; "
                "read it with the version that wrote it"
            )
        try:
            names = tuple(one["name"] for one in found["claims"] if one["name"] in CLAIMS)
            return cls(path, names, found["quick"], found["processors"], dict(found["sweeps"]), dict(found["refused"]))
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{path}: no {FILE} that can be read; allowed: a directory that `orchestrate.py claims` has begun"
            ) from None

    @property
    def claims(self) -> dict[str, Claim]:
        return {name: CLAIMS[name] for name in self.names}

    def add(self, names: Sequence[str]) -> None:
        """These are judged as well, such as a claim that is new since the directory was begun."""
        self.names = tuple(name for name in CLAIMS if name in {*self.names, *names})

    def changed(self, sweep: str) -> None:
        """There are more results of this sweep: they are read anew."""
        self._rows.pop(sweep, None)

    def findings(self) -> dict[str, Finding]:
        """By name, what the results that are there say now."""
        for sweep, name in self.sweeps.items():
            if sweep not in self._rows:
                self._rows[sweep] = _read(self.path / name)
        return judged(self.claims, {**self.refused, **self._rows}, self.processors)

    def write(self) -> dict[str, Finding]:
        """Judge what is there, write it down, and return it."""
        findings = self.findings()
        write_json(self.path / FILE, self.told(findings))
        return findings

    def manifest(self) -> dict[str, Any]:
        """Of the first sweep that has one: the machine and the versions; empty without."""
        for name in self.sweeps.values():
            found = reading.json_file(self.path / name / "manifest.json")
            if found is not None:
                return found
        return {}

    def told(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """What claims.json says."""
        manifest = self.manifest()
        return {
            "schema_version": SCHEMA_VERSION,
            "quick": self.quick,
            "processors": self.processors,
            "started_utc": manifest.get("started_utc"),
            "host": manifest.get("host"),
            "engine": manifest.get("engine"),
            "threadmill": manifest.get("threadmill"),
            "sweeps": self.sweeps,
            "refused": self.refused,
            "claims": [
                {**facts_of(claim), "results": self.sweeps.get(claim.sweep), **asdict(findings[name])}
                for name, claim in self.claims.items()
            ],
        }


def facts_of(claim: Claim) -> dict[str, Any]:
    """What is known of a claim before anything is measured."""
    return {key: getattr(claim, key) for key in _OF_CLAIM}


def _read(path: Path) -> Rows | str:
    try:
        lacking = missing(path)
        return f"its sweep is not complete, {lacking}" if lacking else rows_of(source.read(path))
    except UserError as error:
        return str(error)


def missing(path: Path) -> str:
    """How much of a sweep's plan is not measured, in words; empty where nothing is. What was cut off is not judged: who
    may stop where it pleases finds what pleases. UserError where the results cannot be read."""
    run = reading.read(path)
    sweep = reading.planned(path, run.manifest)
    there = {row["trial_id"] for row in run.rows}
    planned = [trial.trial_id for trial in trials.trials(sweep)]
    lacking = sum(name not in there for name in planned)
    owed = redo.owed(run.rows) if sweep.order.redo is not None else 0
    if lacking:
        return f"{lacking} of {len(planned)} trials are missing"
    return f"{owed} disturbed trials are to be measured again" if owed else ""


def judged(claims: Mapping[str, Claim], rows: Mapping[str, Rows | str], processors: int) -> dict[str, Finding]:
    """By name, corrected for their number. `rows`: by sweep file, or why there are none. Pure."""
    findings = {
        name: _judged(claim, rows.get(claim.sweep, "its sweep has not run"), processors)
        for name, claim in claims.items()
    }
    return holm.corrected(claims, findings)


def _judged(claim: Claim, rows: Rows | str, processors: int) -> Finding:
    if claim.processors > processors:
        return Finding("inconclusive here", "", f"needs {claim.processors} processors, and there are {processors}")
    if isinstance(rows, str):
        return Finding("inconclusive here", "", rows)
    return claim.decide(rows)
