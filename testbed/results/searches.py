"""What searches have found, from the rows of capacity.csv, pooled over the blocks of a cell. Pure.

A search that ended without an answer gives no number; how many there are, and why, is always said.
"""

from dataclasses import dataclass
from statistics import median
from typing import Any

from testbed.plan.axes import AXES
from testbed.plan.cell import Cell

Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What the searches of one cell have found, over its blocks."""

    cell: Cell
    slo_p99_us: float
    by_block: dict[int, float]
    """The rate that held, of each block that has an answer."""
    fails_rps: tuple[float, ...]
    reasons: tuple[str, ...]
    """Why there is no answer, of each block that has none."""
    confirmed: bool
    client_bound: bool
    """Whether in some block the generator was the limit: then the server's capacity is at least what was found."""

    @property
    def median(self) -> float | None:
        return median(self.by_block.values()) if self.by_block else None

    def text(self, value: float | None, shape: str = ",.4g") -> str:
        """A capacity as people read it: `at least` where the generator was the limit, `-` where nothing is known."""
        return "-" if value is None else f"{'at least ' * self.client_bound}{value:{shape}}"


def cell_of_search(row: Row) -> Cell:
    """The cell of a row of capacity.csv, without what the search determines."""
    known = {axis.field: row.get(axis.field, axis.earlier) for axis in AXES if not axis.by_search}
    determined: dict[str, Any] = {axis.field: None for axis in AXES if axis.by_search}
    return Cell(**known | determined | {"mode": "capacity"})


# What a row of capacity.csv holds besides the combination, with its meaning. An empty field means "not known".
CAPACITY_COLUMNS: dict[str, str] = {
    "trial_id": "the search; `search_id` in trials.csv",
    "block": "repetition; each block holds every combination once",
    "slo_p99_us": "the objective",
    "answered": "whether there is an answer",
    "rate_rps": "the highest rate that held, twice in a row. 0: not even 1 request/s did. Empty: not answered",
    "fails_at_rps": "the next rate, which did not hold, at most 1.08 times that. Empty: not found",
    "steps": "trials that gave a result",
    "confirmed": "false when noise kept the search from ending within 30 trials: then the rate is where it had come to",
    "invalid": "trials that gave none",
    "reason": "why there is no answer",
    "client_bound": "true when the generator could not send the next rate: the server holds at least `rate_rps`. Such "
    "an answer is a bound: it is ranked only where it is first, and has no ratio",
}


def pooled(rows: list[Row]) -> list[Found]:
    """One for each cell and objective, in the order of the rows."""
    groups: dict[tuple[Cell, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((cell_of_search(row), row["slo_p99_us"]), []).append(row)
    return [_found(cell, slo, mine) for (cell, slo), mine in groups.items()]


def _found(cell: Cell, slo: float, rows: list[Row]) -> Found:
    known = [row for row in rows if row["answered"]]
    return Found(
        cell,
        slo,
        {row["block"]: float(row["rate_rps"]) for row in known},
        tuple(float(row["fails_at_rps"]) for row in known if row.get("fails_at_rps") is not None),
        tuple(str(row.get("reason") or "not known") for row in rows if not row["answered"]),
        all(bool(row["confirmed"]) for row in known),
        any(bool(row["client_bound"]) for row in known),
    )


def not_answered(rows: list[Row]) -> list[str]:
    """A line for each search that has no answer: its name, then why."""
    return [f"{row['trial_id']}: {row.get('reason') or 'not known'}" for row in rows if not row["answered"]]
