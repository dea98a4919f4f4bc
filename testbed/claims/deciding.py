"""From the rows of a sweep to a finding: what is needed of them, one number of each block, and on which side it lies.

Within a block all trials met the same machine, so the number is made within blocks and its interval is over them. A
block of which a trial is missing, invalid or client-bound tells nothing; with fewer than three left there is no answer.
Pure.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from testbed.claims.claim import Finding, Outcome, Row
from testbed.plan.redo import counted
from testbed.statistics import CONFIDENCE, FEWEST_BLOCKS, Interval, ratio_interval

Series = Mapping[int, float]
"""One number of each block."""
Where = Callable[[Row], bool]


class Unanswered(Exception):
    """These rows cannot answer; the text says which and why."""


def answered(decide: Callable[[Sequence[Row]], Finding]) -> Callable[[Sequence[Row]], Finding]:
    """The predicate, with `inconclusive here` and the reason where the rows cannot answer."""

    @wraps(decide)
    def answer(rows: Sequence[Row]) -> Finding:
        try:
            return decide(rows)
        except Unanswered as why:
            return Finding("inconclusive here", "", str(why))

    return answer


# --- what is needed of the rows ---


def chosen(rows: Sequence[Row], *where: Where, **values: Any) -> list[dict[str, Any]]:
    """The trials that count, canaries left out, with these values in these columns, and for which all of `where` is
    true. Unanswered where there are none."""
    plain = [cast("dict[str, Any]", row) for row in rows if not row.get("canary")]
    found = [
        row
        for row in counted(plain)
        if all(row.get(name) == value for name, value in values.items()) and all(one(row) for one in where)
    ]
    if not found:
        what = ", ".join(f"{name} {value}" for name, value in values.items()) or "what is claimed"
        raise Unanswered(f"no trial of {what}")
    return found


def unfit(row: Row, client: bool = False) -> str:
    """Why a trial's figures say nothing of its server; empty where they do. `client`: a full generator is no matter."""
    if row.get("verdict") in (None, "invalid"):
        return f"{row.get('trial_id')} is invalid: {row.get('reasons')}"
    if row.get("verdict") == "client-bound" and not client:
        return f"{row.get('trial_id')} is client-bound: {row.get('reasons')}"
    return ""


def series(rows: Sequence[Row], column: str, client: bool = False) -> dict[int, float]:
    """The column by block, of the trials that are fit. Unanswered where none is, and for two trials in one block."""
    found: dict[int, float] = {}
    left_out = [why for row in rows if (why := unfit(row, client))]
    for row in rows:
        if unfit(row, client):
            continue
        value = row.get(column)
        if value is None:
            left_out.append(f"{column} of {row.get('trial_id')} is not known")
            continue
        if row["block"] in found:
            raise Unanswered(f"two trials of the same in block {row['block']}, such as {row.get('trial_id')}")
        found[row["block"]] = float(value)
    if len(found) < FEWEST_BLOCKS and left_out:
        raise Unanswered(f"{left_out[0]}; fewer than {FEWEST_BLOCKS} blocks are left")
    return found


def each(of: Callable[..., float], *these: Series) -> dict[int, float]:
    """A number of the blocks that all of these have."""
    blocks = sorted(set.intersection(*(set(one) for one in these)))
    return {block: of(*(one[block] for one in these)) for block in blocks}


# --- on which side it lies ---


@dataclass(frozen=True)
class Sample:
    """A number of each block, with its interval. `unit`: empty for a ratio."""

    values: Series
    interval: Interval
    unit: str = ""

    @property
    def shown(self) -> str:
        """Such as `x 3.4 (2.9 to 4.1)`."""
        one = self.interval
        figures = f"{number(one.estimate)} ({number(one.low)} to {number(one.high)})"
        return f"{figures} {self.unit}" if self.unit else f"x {figures}"

    def p(self, bound: float, above: bool) -> float:
        """How likely a mean so far above `bound` is where the true one is at most that; with `above` false, below it.
        Student's t, of a ratio on its logarithms."""
        from scipy import special

        sign = 1 if above else -1
        moved = [sign * (self._scaled(value) - self._scaled(bound)) for value in self.values.values()]
        spread, mean = statistics.stdev(moved), statistics.fmean(moved)
        if not spread:
            return 0.0 if mean > 0 else 1.0
        return float(special.stdtr(len(moved) - 1, -mean / spread * math.sqrt(len(moved))))

    def _scaled(self, value: float) -> float:
        return value if self.unit else math.log(value)


def ratio(a: Series, b: Series) -> Sample:
    """a over b within blocks. Unanswered with fewer than three blocks that have both above zero."""
    values = each(lambda one, other: one / other if one > 0 and other > 0 else math.nan, a, b)
    known = {block: value for block, value in values.items() if not math.isnan(value)}
    _enough(known)
    return Sample(known, ratio_interval(known, dict.fromkeys(known, 1.0)))


def level(values: Series, unit: str) -> Sample:
    """Numbers of the blocks themselves, such as differences: their mean with Student's interval."""
    from scipy import special

    _enough(values)
    all_of_them = list(values.values())
    mean, count = statistics.fmean(all_of_them), len(all_of_them)
    reach = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2))
    half = reach * statistics.stdev(all_of_them) / math.sqrt(count)
    return Sample(values, Interval(mean, mean - half, mean + half, CONFIDENCE, count), unit)


def difference(a: Series, b: Series, unit: str) -> Sample:
    """a minus b within blocks."""
    return level(each(lambda one, other: one - other, a, b), unit)


def _enough(values: Series) -> None:
    if len(values) < FEWEST_BLOCKS:
        raise Unanswered(f"{len(values)} blocks have all that is needed: at least {FEWEST_BLOCKS} are")


def at_least(sample: Sample, bound: float, what: str) -> Finding:
    """Holds where the whole interval is above `bound`, does not hold where all of it is below."""
    return _side(sample, bound, what, above=True)


def at_most(sample: Sample, bound: float, what: str) -> Finding:
    """Holds where the whole interval is below `bound`, does not hold where all of it is above."""
    return _side(sample, bound, what, above=False)


def _side(sample: Sample, bound: float, what: str, above: bool) -> Finding:
    low, high = _ends(sample)
    outcome: Outcome = "not shown"
    if low > bound:
        outcome = "holds" if above else "does not hold"
    elif high < bound:
        outcome = "does not hold" if above else "holds"
    said = f"{what}: {sample.shown}, claimed is at {'least' if above else 'most'} {number(bound)}"
    return Finding(outcome, sample.shown, said, sample.interval.estimate, low, high, bound, sample.p(bound, above))


def within(sample: Sample, low: float, high: float, what: str) -> Finding:
    """Holds where the whole interval lies between the two, does not hold where all of it lies outside."""
    first, last = _ends(sample)
    outcome: Outcome = "not shown"
    if low <= first and last <= high:
        outcome = "holds"
    elif last < low or first > high:
        outcome = "does not hold"
    said = f"{what}: {sample.shown}, claimed is {number(low)} to {number(high)}"
    p = max(sample.p(low, above=True), sample.p(high, above=False))
    return Finding(outcome, sample.shown, said, sample.interval.estimate, first, last, high, p)


def _ends(sample: Sample) -> tuple[float, float]:
    low, high = sample.interval.low, sample.interval.high
    if low is None or high is None:
        raise Unanswered(sample.interval.note)
    return low, high


def in_all(rows: Iterable[Row], is_so: Callable[[Row], bool | None], what: str, client: bool = False) -> Finding:
    """Of what is so or not in a trial, without an interval: holds where it is so in all, does not where it is in none.
    Unanswered where one is not known, or a trial is not fit."""
    found: list[bool] = []
    for row in rows:
        if why := unfit(row, client):
            raise Unanswered(why)
        so = is_so(row)
        if so is None:
            raise Unanswered(f"what {row.get('trial_id')} came to is not known")
        found.append(so)
    if not found:
        raise Unanswered(f"no trial tells of {what}")
    count = f"{sum(found)} of {len(found)} trials"
    outcome: Outcome = "holds" if all(found) else "not shown" if any(found) else "does not hold"
    return Finding(outcome, count, f"{what}: in {count}")


def all_of(*parts: Finding) -> Finding:
    """A claim of several parts holds where all do, and does not where one does not; the figures are those of the part
    that decides, the first of equals. Its p is the greatest of them (Berger 1982)."""
    order: tuple[Outcome, ...] = ("does not hold", "inconclusive here", "not shown", "holds")
    outcome = min((part.outcome for part in parts), key=order.index)
    decides = next(part for part in parts if part.outcome == outcome)
    figure = "; ".join(part.figure for part in parts if part.figure)
    known = [part.p for part in parts if part.p is not None]
    return Finding(
        outcome,
        figure,
        "; ".join(part.decided for part in parts),
        decides.estimate,
        decides.low,
        decides.high,
        decides.bound,
        max(known) if known else None,
    )


def number(value: float | None) -> str:
    """Three digits, and all of a number that has more before its point."""
    if value is None:
        return "not known"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
