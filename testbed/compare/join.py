"""Two runs joined on equal cells: one ratio with its interval for each cell and measure. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from testbed.redo import counted
from testbed.statistics import Interval, unpaired_ratio_interval
from testbed.summary import CELL_FIELDS, cell_of

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


@dataclass(frozen=True)
class Comparison:
    """One measure in one cell: medians of both runs and the ratio second / first. None where a run has no value."""

    measure: Measure
    base: float | None
    other: float | None
    ratio: Interval | None

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
        return "client-bound" in self.base_verdicts or "client-bound" in self.other_verdicts


@dataclass(frozen=True)
class Join:
    """Everything two runs have in common, and what only one of them has."""

    cells: tuple[JoinedCell, ...]
    only_base: tuple[dict[str, Any], ...]
    only_other: tuple[dict[str, Any], ...]


def _cells(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        if not row["canary"]:
            found.setdefault(cell_of(row), []).append(row)
    return found


def _named(key: Key) -> dict[str, Any]:
    return dict(zip(CELL_FIELDS, key, strict=True))


def _values(rows: list[Row], column: str) -> list[float]:
    return [float(row[column]) for row in counted(rows) if row["verdict"] != "invalid" and row[column] is not None]


def _place(key: Key, models: Sequence[str]) -> list[tuple[int, float, str]]:
    """Where a cell stands: its model as listed, numbers as numbers, None first."""
    model = key[0]
    listed = models.index(model) if model in models else len(models)
    rest = [(1, float(part), "") if isinstance(part, int | float) else (0, 0.0, str(part or "")) for part in key]
    return [(listed, 0.0, ""), *rest]


def compare_values(measure: Measure, base: list[float], other: list[float]) -> Comparison:
    """The comparison of one measure; `base` and `other` hold one value per valid trial."""
    both = any(value > 0 for value in base) and any(value > 0 for value in other)
    ratio = unpaired_ratio_interval(other, base) if both else None
    return Comparison(measure, median(base) if base else None, median(other) if other else None, ratio)


def join(base: list[Row], other: list[Row], models: Sequence[str] = ()) -> Join:
    """Join the rows of two runs on equal cells; models as the first run's file lists them, the rest by value. Invalid
    trials and canaries give no number; how many trials were invalid is in the verdicts.
    """
    first, second = _cells(base), _cells(other)
    first = dict(sorted(first.items(), key=lambda item: _place(item[0], models)))
    cells = []
    for key, rows in first.items():
        if key not in second:
            continue
        comparisons = tuple(
            compare_values(measure, _values(rows, measure.column), _values(second[key], measure.column))
            for measure in MEASURES
        )
        verdicts = [dict(Counter(row["verdict"] for row in side)) for side in (rows, second[key])]
        cells.append(JoinedCell(_named(key), verdicts[0], verdicts[1], comparisons))
    return Join(
        tuple(cells),
        tuple(_named(key) for key in first if key not in second),
        tuple(_named(key) for key in second if key not in first),
    )


def as_json(joined: Join) -> dict[str, Any]:
    """The join with plain keys: medians in the columns' own units, ratios second / first."""
    return {
        "cells": [
            {
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
            for cell in joined.cells
        ],
        "only_in_first": list(joined.only_base),
        "only_in_second": list(joined.only_other),
    }
