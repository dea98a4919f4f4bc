"""What lies in a results directory, read back: manifest, sweep as resolved, and one row per finished trial."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.errors import UserError
from testbed.results import searches
from testbed.results.directory import row_of


@dataclass(frozen=True)
class Run:
    """One results directory, `results/<sweep>-<utc time>/`."""

    path: Path
    manifest: dict[str, Any]
    sweep: dict[str, Any]
    """The sweep as resolved, in the form of a sweep file."""
    rows: list[dict[str, Any]]
    """One per finished trial, with the columns of trials.csv, in the order of the trials' names."""
    searched: list[dict[str, Any]] = field(default_factory=list)
    """The rows of capacity.csv; none of a sweep that searches for nothing."""

    @property
    def name(self) -> str:
        return self.path.resolve().name


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of the trials that have a record. UserError names a record that cannot be read."""
    return [row_of(_json(record)) for record in sorted((path / "trials").glob("*/trial.json"))]


def read(path: Path) -> Run:
    """UserError when `path` is no results directory."""
    if not (path / "manifest.json").is_file():
        raise UserError(
            f"{path}: no results here, manifest.json is missing; allowed: a directory such as results/<sweep>-<time>; "
            "`orchestrate.py results` lists them"
        )
    try:
        sweep = yaml.safe_load((path / "sweep.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path / 'sweep.yaml'}: cannot be read: {error}") from None
    return Run(path, _json(path / "manifest.json"), sweep or {}, read_rows(path), searches.read(path))


def _json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON: {error}") from None
    return value
