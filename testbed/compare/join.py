"""Two runs joined on equal cells: one ratio with its interval for each cell and measure. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from testbed.plan.redo import counted
from testbed.results.searches import Found, pooled
from testbed.results.summary import cell_of, named
from testbed.statistics import Interval, unpaired_ratio_interval

Row = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Measure:
    """One column of trials.csv that runs are compared in."""

    name: str
    """What `--fail-if` and headings call it."""
    column: str
    heading: str
    more_is_better: bool = False


MEASURES = (
    Measure("throughput", "throughput_rps", "requests/s", more_is_better=True),
    Measure("p50", "latency_p50_us", "latency p50"),
    Measure("p90", "latency_p90_us", "latency p90"),
    Measure("p99", "latency_p99_us", "latency p99"),
    Measure("cpu", "cpu_us_per_request", "CPU per request"),
    Measure("memory", "memory_peak_bytes", "memory peak"),
)
# Of searches, from capacity.csv; what a search measured on its way is at rates of its own and joins nothing.
CAPACITY = Measure("capacity", "capacity_rps", "capacity", more_is_better=True)


@dataclass(frozen=True)
class Comparison:
    """One measure in one cell: medians of both runs and the ratio second / first. None where a run has no value."""

    measure: Measure
    base: float | None
    other: float | None
    ratio: Interval | None
    note: str = ""
    """Why there is no ratio, where that is not for want of a valid value."""

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 1: a difference is shown."""
        ratio = self.ratio
        return (
            ratio is not None and ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
        )

    @property
    def judged(self) -> bool:
        """Whether there is an interval at all."""
        return self.ratio is not None and self.ratio.low is not None

    def words(self) -> str:
        """What the interval shows and no more."""
        if self.ratio is None and self.note:
            return self.note
        if self.ratio is None:
            lacking = "both runs" if self.base is None and self.other is None else "one run"
            return f"no valid value in {lacking}"
        if self.ratio.low is None:
            return self.ratio.note
        if not self.shown:
            return "no difference shown"
        return f"{'more' if self.ratio.estimate > 1 else 'less'} in the second"


@dataclass(frozen=True)
class JoinedCell:
    """A cell that both runs hold, with the verdicts of its trials and its comparisons in the order of MEASURES."""

    cell: dict[str, Any]
    base_verdicts: dict[str, int]
    other_verdicts: dict[str, int]
    comparisons: tuple[Comparison, ...]

    @property
    def client_bound(self) -> bool:
        """Whether the generator bounded some trial: its throughput is not the server's."""
        return self._either("client-bound")

    @property
    def front_bound(self) -> bool:
        """The same of what stands before the servers."""
        return self._either("front-bound")

    @property
    def backend_bound(self) -> bool:
        """The same of what stands behind them."""
        return self._either("backend-bound")

    def _either(self, verdict: str) -> bool:
        return verdict in self.base_verdicts or verdict in self.other_verdicts


@dataclass(frozen=True)
class Join:
    """Everything two runs have in common, and what only one of them has."""

    cells: tuple[JoinedCell, ...]
    only_base: tuple[dict[str, Any], ...]
    only_other: tuple[dict[str, Any], ...]
    searches: tuple[JoinedCell, ...] = ()
    """Cells that both runs have searched the capacity of, for the same objective; CAPACITY is their one comparison."""


def _cells(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        if not row["canary"] and row["step"] is None:
            found.setdefault(cell_of(row), []).append(row)
    return found


def _values(rows: list[Row], column: str) -> list[float]:
    return [float(row[column]) for row in counted(rows) if row["verdict"] != "invalid" and row[column] is not None]


def _place(cell: dict[str, Any], models: Sequence[str]) -> list[tuple[int, float, str]]:
    """Where a cell stands: its model as listed, numbers as numbers, None first."""
    model = cell["model"]
    listed = models.index(model) if model in models else len(models)
    rest = [
        (1, float(part), "") if isinstance(part, int | float) else (0, 0.0, str(part or "")) for part in cell.values()
    ]
    return [(listed, 0.0, ""), *rest]


def compare_values(measure: Measure, base: list[float], other: list[float]) -> Comparison:
    """The comparison of one measure; `base` and `other` hold one value per valid trial."""
    both = any(value > 0 for value in base) and any(value > 0 for value in other)
    ratio = unpaired_ratio_interval(other, base) if both else None
    return Comparison(measure, median(base) if base else None, median(other) if other else None, ratio)


def compare_capacities(base: Found, other: Found) -> Comparison:
    """Of the answers of both runs' blocks. Bounds and zeros have no ratio."""
    note = ""
    for name, found in (("second", other), ("first", base)):
        if found.client_bound:
            note = f"the load generator was the limit in the {name} run: at least {found.median:,.4g}/s"
        elif 0.0 in found.by_block.values():
            note = f"no rate held the objective in the {name} run"
        elif not found.by_block:
            note = f"not answered in the {name} run: {found.reasons[0]}"
    if note:
        return Comparison(CAPACITY, base.median, other.median, None, note)
    return compare_values(CAPACITY, list(base.by_block.values()), list(other.by_block.values()))


def _search_verdicts(found: Found) -> dict[str, int]:
    answered = "client-bound" if found.client_bound else "answered"
    counts = {answered: len(found.by_block), "not answered": len(found.reasons)}
    return {kind: count for kind, count in counts.items() if count}


def join_searches(base: list[Row], other: list[Row]) -> tuple[list[JoinedCell], list[Row], list[Row]]:
    """The rows of two capacity.csv joined on cell and objective; then the cells that only one of them has."""
    first, second = ({(one.cell, one.slo_p99_us): one for one in pooled(rows)} for rows in (base, other))
    cells = [
        JoinedCell(
            asdict(key[0]),
            _search_verdicts(found),
            _search_verdicts(second[key]),
            (compare_capacities(found, second[key]),),
        )
        for key, found in first.items()
        if key in second
    ]
    alone = [
        [asdict(key[0]) for key in mine if key not in theirs] for mine, theirs in ((first, second), (second, first))
    ]
    return cells, alone[0], alone[1]


def join(
    base: list[Row],
    other: list[Row],
    models: Sequence[str] = (),
    searched: tuple[Sequence[Row], Sequence[Row]] = ((), ()),
) -> Join:
    """Join the rows of two runs on equal cells; models as the first run's file lists them, the rest by value. Invalid
    trials and canaries give no number; how many trials were invalid is in the verdicts. `searched` are the rows of both
    runs' capacity.csv.
    """
    first, second = _cells(base), _cells(other)
    first = dict(sorted(first.items(), key=lambda item: _place(named(item[0]), models)))
    cells = []
    for key, rows in first.items():
        if key not in second:
            continue
        comparisons = tuple(
            compare_values(measure, _values(rows, measure.column), _values(second[key], measure.column))
            for measure in MEASURES
        )
        verdicts = [dict(Counter(row["verdict"] for row in counted(side))) for side in (rows, second[key])]
        cells.append(JoinedCell(named(key), verdicts[0], verdicts[1], comparisons))
    both, only_first, only_second = join_searches(list(searched[0]), list(searched[1]))
    both.sort(key=lambda one: _place(one.cell, models))
    return Join(
        tuple(cells),
        (*(named(key) for key in first if key not in second), *only_first),
        (*(named(key) for key in second if key not in first), *only_second),
        tuple(both),
    )


def _cell_json(cell: JoinedCell) -> dict[str, Any]:
    return {
        "cell": cell.cell,
        "verdicts": {"first": cell.base_verdicts, "second": cell.other_verdicts},
        "measures": {
            one.measure.column: {
                "first": one.base,
                "second": one.other,
                "ratio": asdict(one.ratio) if one.ratio else None,
                "difference_shown": one.shown,
                "words": one.words(),
            }
            for one in cell.comparisons
        },
    }


def as_json(joined: Join) -> dict[str, Any]:
    """The join with plain keys: medians in the columns' own units, ratios second / first."""
    return {
        "cells": [_cell_json(cell) for cell in joined.cells],
        "searches": [_cell_json(cell) for cell in joined.searches],
        "only_in_first": list(joined.only_base),
        "only_in_second": list(joined.only_other),
    }
