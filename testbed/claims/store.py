"""A directory of claims: which are judged, where the sweep of each has left its results, and what was found."""

import json
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
from testbed.report import source
from testbed.results import reading

FILE = "claims.json"
SCHEMA_VERSION = 1
_OF_CLAIM = ("statement", "source", "link", "question", "sweep", "predicate")


@dataclass
class Store:
    """`sweeps`: by sweep file, the name of the results directory beside this file; a sweep that has not begun is not
    among them."""

    path: Path
    names: tuple[str, ...]
    quick: bool
    processors: int
    """Of the machine, that servers can have."""
    sweeps: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Store":
        """UserError where there is none, or of a version to come."""
        try:
            found = json.loads((path / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(
                f"{path}: no {FILE} that can be read; allowed: what `orchestrate.py claims` has begun"
            ) from None
        if found.get("schema_version") != SCHEMA_VERSION:
            raise UserError(f"{path}: its schema_version is {found.get('schema_version')}, allowed: {SCHEMA_VERSION}")
        names = tuple(one["name"] for one in found["claims"] if one["name"] in CLAIMS)
        return cls(path, names, found["quick"], found["processors"], dict(found["sweeps"]))

    @property
    def claims(self) -> dict[str, Claim]:
        return {name: CLAIMS[name] for name in self.names}

    def write(self) -> dict[str, Finding]:
        """Judge what is there, write it down, and return it."""
        findings = judged(self.claims, self._rows(), self.processors)
        write_json(self.path / FILE, self._told(findings))
        return findings

    def manifest(self) -> dict[str, Any]:
        """Of the first sweep that has one: the machine and the versions; empty without."""
        for name in self.sweeps.values():
            try:
                return reading.manifest(self.path / name)
            except UserError:
                continue
        return {}

    def _rows(self) -> dict[str, Sequence[dict[str, Any]] | str]:
        """By sweep file, its rows with their facts; or why there are none."""
        found: dict[str, Sequence[dict[str, Any]] | str] = {}
        for sweep, name in self.sweeps.items():
            try:
                found[sweep] = rows_of(source.read(self.path / name))
            except UserError as error:
                found[sweep] = str(error)
        return found

    def _told(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        claims = [
            {
                "name": name,
                **{
                    key: getattr(claim, key)
                    for key in ("statement", "source", "link", "question", "sweep", "predicate")
                },
                "results": self.sweeps.get(claim.sweep),
                **asdict(findings[name]),
            }
            for name, claim in self.claims.items()
        ]
        return {
            "schema_version": SCHEMA_VERSION,
            "quick": self.quick,
            "processors": self.processors,
            "sweeps": self.sweeps,
            "claims": claims,
        }


def judged(
    claims: Mapping[str, Claim], rows: Mapping[str, Sequence[dict[str, Any]] | str], processors: int
) -> dict[str, Finding]:
    """By name, corrected for their number. Pure."""
    findings = {
        name: _judged(claim, rows.get(claim.sweep, "its sweep has not run"), processors)
        for name, claim in claims.items()
    }
    return holm.corrected(claims, findings)


def _judged(claim: Claim, rows: Sequence[dict[str, Any]] | str, processors: int) -> Finding:
    if claim.processors > processors:
        return Finding("inconclusive here", "", f"needs {claim.processors} processors, and there are {processors}")
    if isinstance(rows, str):
        return Finding("inconclusive here", "", rows)
    return claim.decide(rows)
