"""Rows as a claim's own sweep would give them, with made measurements: what a test of a predicate is about."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from testbed.claims.claim import Claim
from testbed.plan import cells, sweepfile
from testbed.plan.cell import Cell
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from tests.unit.testbed import rows

PROJECT = Path(__file__).parents[4]
# Enough for every sweep; what a claim needs of a machine, it says.
LARGE = Machine(cpus=8, memory_bytes=64 * 2**30)
Row = dict[str, Any]
Measures = Callable[[Row], Row]

# What repeats of a trial differ by: with five blocks an interval of some percent.
NOISE = (1.0, 1.02, 0.98, 1.01, 0.99)


def sweep_of(claim: Claim) -> Sweep:
    """The sweep file of a claim, as it stands in the project."""
    return _read(claim.sweep)


@cache
def _read(sweep: str) -> Sweep:
    return sweepfile.load(PROJECT / sweep, LARGE)


@cache
def _cells(sweep: str) -> list[Cell]:
    return cells.cells(_read(sweep))


def made(claim: Claim, measures: Measures, blocks: int = 5) -> list[Row]:
    """A row for each combination of the sweep in each block, with what `measures` makes of it."""
    found = []
    for block in range(1, blocks + 1):
        for number, cell in enumerate(_cells(claim.sweep), 1):
            row = rows.row(cell, block=block, trial_id=f"{number:03d}-b{block}", verdict="not-saturated", reasons="")
            found.append(row | measures(row))
    return found


def noisy(row: Row, value: float) -> float:
    """The value as this row's block would have it."""
    return value * NOISE[(row["block"] - 1) % len(NOISE)]


def apart(row: Row, value: float) -> float:
    """The value as it is where blocks do not agree: by a factor of 27 between them."""
    return value * (1.0, 9.0, 1 / 3, 3.0, 1 / 9)[(row["block"] - 1) % 5]


def changed(measures: Measures, where: Callable[[Row], bool], **values: Any) -> Measures:
    """The same, but for the rows of which `where` is true; a value may be a function of the row."""

    def found(row: Row) -> Row:
        if not where(row):
            return measures(row)
        told = row | measures(row)
        return measures(row) | {name: one(told) if callable(one) else one for name, one in values.items()}

    return found


def times(column: str, factor: float) -> Callable[[Row], float | None]:
    """The column so many times as large."""
    return lambda row: None if row.get(column) is None else row[column] * factor


def wildly(column: str, factor: float = 1.0) -> Callable[[Row], float | None]:
    """The same where blocks do not agree."""
    return lambda row: None if row.get(column) is None else apart(row, row[column] * factor)


def of(**values: Any) -> Callable[[Row], bool]:
    """Whether a row has these values."""
    return lambda row: all(row.get(name) == value for name, value in values.items())
