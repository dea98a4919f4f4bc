"""The cells of a sweep: its axes crossed, less what it excludes. And in what some of them differ. Pure."""

import itertools
from dataclasses import replace
from typing import Any

from testbed.plan.axes import AXES, FIELDS
from testbed.plan.cell import Cell
from testbed.plan.schema import Exclude, Sweep
from testbed.plan.settling import settled

# The fields of a cell by what a rule of `exclude` calls them.
_EXCLUDED = {axis.in_exclude: axis.field for axis in AXES if axis.in_exclude}


def _excluded(cell: Cell, rule: Exclude) -> bool:
    given = [(_EXCLUDED[name], wanted) for name, wanted in rule if wanted is not None]
    return bool(given) and all(getattr(cell, field) in wanted for field, wanted in given)


def cells(sweep: Sweep) -> list[Cell]:
    """Every combination that is not excluded, in the order in which the file lists the values."""
    asked = {axis.field: axis.asked(sweep) for axis in AXES if axis.crossed}
    crossed = (dict(zip(asked, values, strict=True)) for values in itertools.product(*asked.values()))
    every = dict.fromkeys(settled(Cell(**values), sweep.duration / 1e6) for values in crossed)
    return [cell for cell in every if not any(_excluded(cell, rule) for rule in sweep.exclude)]


def measured_cells(sweep: Sweep, rows: list[dict[str, Any]]) -> list[Cell]:
    """The cells of a table: the sweep's own, or, after a search, those at shares of what it found in each block."""
    every = cells(sweep)
    if not sweep.load.slo:
        return every
    shares = [row for row in rows if row["share"] is not None]
    found = {Cell(**{name: row[name] for name in FIELDS} | {"rate_rps": None}) for row in shares}
    place = {cell: index for index, cell in enumerate(every)}
    return sorted(found, key=lambda cell: (place.get(replace(cell, share=None), len(place)), cell.share or 0.0))


def varying_fields(these: list[Cell]) -> list[str]:
    """The names of the cell fields that differ between these cells; model and cpus always, pool sizes only where they
    do not follow from these two."""

    def varies(name: str) -> bool:
        if name in ("workers", "threads"):
            sizes = {(_pool_key(cell), getattr(cell, name)) for cell in these}
            return len(sizes) > len({_pool_key(cell) for cell in these})
        return name in ("model", "cpus") or len({getattr(cell, name) for cell in these}) > 1

    return [name for name in FIELDS if varies(name)]


def _pool_key(cell: Cell) -> tuple[Any, Any]:
    return cell.model, cell.cpus
