"""What a claim is, and what is found of it. Pure.

Each claim is a module beside this one: a statement of the field, a sweep that could show it wrong, and a predicate over
the sweep's rows that was written before anything was measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Row = Mapping[str, Any]
"""One finished trial, with the columns of trials.csv. None is "not known"."""

Outcome = Literal["holds", "does not hold", "not shown", "inconclusive here"]


@dataclass(frozen=True)
class Finding:
    """What one run of a claim's sweep says of it.

    `holds` and `does not hold` need an interval that lies wholly on one side of what was claimed; where it does not,
    the claim is `not shown`. `inconclusive here`: this machine or these rows cannot answer, and `decided` says why.
    """

    outcome: Outcome
    figure: str
    """The number that decided with its interval, such as `x 3.4 (2.9 to 4.1)`; empty where there is none."""
    decided: str
    """What decided, in one sentence."""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    """What was claimed of the number, so that a figure can show both."""
    p: float | None = None
    """How likely at least such a number is where the claim is wrong; of claims that are corrected for their number."""


@dataclass(frozen=True)
class Claim:
    """`decide` is pure, and gets the rows of all trials of the sweep, invalid ones included."""

    name: str
    """Lower-case letters, digits and hyphens."""
    statement: str
    """The claim in the words of the field, one sentence."""
    source: str
    """Who says so."""
    link: str
    question: str
    """Claims on one question are corrected for their number (Holm)."""
    sweep: str
    """The sweep file, by its path in the project."""
    predicate: str
    """When it holds, when it does not, and what makes it inconclusive, in words; `decide` is the same in code."""
    decide: Callable[[Sequence[Row]], Finding]
    processors: int = 2
    """How many the machine must have to decide it."""
    quick: Mapping[str, Any] | None = field(default_factory=dict)
    """Keys of the sweep file as they are with `--quick`, such as `repeat`, over those that all claims have there. None:
    left out there."""
