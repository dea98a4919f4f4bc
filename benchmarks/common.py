"""The shape every benchmark's result has: a table whose cells may be medians with their ranges.

A benchmark module has `measure(...) -> dict[str, Any]`, which is `as_json` of its table, and prints it as a program:

    if __name__ == "__main__":
        run(measure)
"""

from __future__ import annotations

import argparse
import inspect
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The median of repeated measurements with the least and the greatest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Raises ValueError when there are none."""
        found = list(values)
        if not found:
            raise ValueError("a spread needs at least one value")
        return cls(statistics.median(found), min(found), max(found))


Cell = str | int | float | Spread | None


@dataclass(frozen=True)
class Table:
    """What a benchmark found. Each row has a cell for every column; a ratio is of values from one run."""

    name: str
    """Of the benchmark: letters, digits and underscores."""
    command: str
    """What prints this table again."""
    unit: str
    """Of the cells, where the column's own name does not say another."""
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    """The first cell of a row names it; a name occurs once."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: a row of {len(row)} cells for {len(self.columns)} columns: {row}")


def ratios(of: Sequence[float], to: Sequence[float]) -> Spread:
    """The spread of pairwise ratios: what was measured in one turn is compared within it, which cancels drift."""
    return Spread.of(one / other for one, other in zip(of, to, strict=True))


def as_json(table: Table) -> dict[str, Any]:
    """A `Spread` becomes {"median", "low", "high"}; rows become lists in the order of `columns`."""
    return {
        "name": table.name,
        "command": table.command,
        "unit": table.unit,
        "columns": list(table.columns),
        "rows": [[_cell_as_json(cell) for cell in row] for row in table.rows],
        "notes": list(table.notes),
    }


def _cell_as_json(cell: Cell) -> Any:
    return {"median": cell.median, "low": cell.low, "high": cell.high} if isinstance(cell, Spread) else cell


def from_json(found: Mapping[str, Any]) -> Table:
    """The inverse of `as_json`."""
    rows = tuple(tuple(Spread(**cell) if isinstance(cell, dict) else cell for cell in row) for row in found["rows"])
    return Table(found["name"], found["command"], found["unit"], tuple(found["columns"]), rows, tuple(found["notes"]))


def show(cell: Cell) -> str:
    """A number to three significant digits or as a whole one, a spread as `median (low to high)`, None as `-`."""
    if cell is None:
        return "-"
    if isinstance(cell, Spread):
        return f"{show(cell.median)} ({show(cell.low)} to {show(cell.high)})"
    if isinstance(cell, float):
        if not math.isfinite(cell):
            return str(cell)
        digits = max(0, 2 - math.floor(math.log10(abs(cell)))) if cell else 0
        return f"{cell:,.{digits}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def print_table(table: Table) -> None:
    """The first column to the left, the others to the right, the notes and the command below."""
    lines = [table.columns, *(tuple(show(cell) for cell in row) for row in table.rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(table.columns))]
    print(f"{table.name} ({table.unit})")
    for line in lines:
        first, *others = (
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  " + "   ".join((first, *others)))
    for note in table.notes:
        print(f"  {note}")
    print(f"  {table.command}", flush=True)


def run(measure: Callable[..., Mapping[str, Any]]) -> None:
    """A benchmark as a program: an option for each number that its `measure` takes, by the same name and default."""
    name = Path(inspect.getfile(measure)).stem
    about = (inspect.getdoc(inspect.getmodule(measure)) or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    for option, one in inspect.signature(measure).parameters.items():
        parser.add_argument(f"--{option}", type=type(one.default), default=one.default)
    print_table(from_json(measure(**vars(parser.parse_args()))))
