"""`--fail-if "p99 > 1.10"`: a comparison as a gate for continuous integration. Pure."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from testbed import exits
from testbed.compare.join import CAPACITY, MEASURES, Comparison, Join, JoinedCell, Measure
from testbed.errors import UserError

_CONDITION = re.compile(r"\s*([a-z0-9]+)\s*(>|<)\s*(\d+(?:\.\d+)?)\s*")
_BEYOND: dict[str, Callable[[float, float], bool]] = {">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Condition:
    """A ratio that may not be: `p99 > 1.10` says that the second run's p99 is over 1.10 of the first's."""

    measure: Measure
    sign: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.measure.name} {self.sign} {self.threshold:g}"

    def met(self, one: Comparison) -> bool:
        """Whether a difference is shown and its estimate lies beyond the threshold. Noise alone meets no condition."""
        return one.shown and one.ratio is not None and _BEYOND[self.sign](one.ratio.estimate, self.threshold)


def parse(text: str) -> Condition:
    """UserError for what is no condition."""
    names = {measure.name: measure for measure in (*MEASURES, CAPACITY)}
    match = _CONDITION.fullmatch(text)
    if match is None or match[1] not in names or not float(match[3]):
        raise UserError(
            f"--fail-if: found {text!r}, allowed: one of {', '.join(names)}, then > or <, then a ratio above 0, "
            'such as "p99 > 1.10" or "throughput < 0.95"'
        )
    return Condition(names[match[1]], match[2], float(match[3]))


@dataclass(frozen=True)
class Gate:
    """What came of one condition: in which cells it is met, and in which it cannot be judged."""

    condition: Condition
    met: tuple[tuple[JoinedCell, Comparison], ...]
    not_judged: tuple[tuple[JoinedCell, Comparison], ...]
    count: int

    @property
    def exit_code(self) -> int:
        if self.met:
            return exits.FAILED
        # What no common cell has a value of, as the capacity of a sweep that searched for none, does not hold.
        return exits.BROKEN if self.not_judged or not self.count else exits.OK

    def lines(self, name: Callable[[JoinedCell], str]) -> list[str]:
        """What to print; `name` says how a cell is called."""
        found = [f"fails: {self.condition}: {name(cell)}: {_ratio(one)}" for cell, one in self.met]
        found += [f"not judged: {self.condition}: {name(cell)}: {one.words()}" for cell, one in self.not_judged]
        if not self.count:
            found = [f"not judged: {self.condition}: no cell in common has a {self.condition.measure.name}"]
        elif not found:
            found = [f"holds: no difference that meets {self.condition} is shown in {self.count} cells"]
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "condition": str(self.condition),
            "outcome": {exits.OK: "holds", exits.FAILED: "fails", exits.BROKEN: "not judged"}[self.exit_code],
            "met_in": [cell.cell for cell, _ in self.met],
            "not_judged_in": [cell.cell for cell, _ in self.not_judged],
        }


def _ratio(one: Comparison) -> str:
    ratio = one.ratio
    assert ratio is not None  # only what has an interval is shown
    assert ratio.low is not None
    assert ratio.high is not None
    return f"{ratio.estimate:.3g} ({ratio.confidence:.0%} interval {ratio.low:.3g} to {ratio.high:.3g})"


def apply(condition: Condition, joined: Join) -> Gate:
    """Judge every common cell. A cell without an interval, also for want of a valid trial, cannot be judged."""
    every = (*joined.cells, *joined.searches)
    pairs = [(cell, one) for cell in every for one in cell.comparisons if one.measure is condition.measure]
    return Gate(
        condition,
        tuple((cell, one) for cell, one in pairs if condition.met(one)),
        tuple((cell, one) for cell, one in pairs if not one.judged),
        len(pairs),
    )


def worst(gates: list[Gate]) -> int:
    """One exit code for all: a failure before what cannot be judged, before success."""
    codes = {gate.exit_code for gate in gates}
    return next((code for code in (exits.FAILED, exits.BROKEN) if code in codes), exits.OK)
