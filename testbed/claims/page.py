"""`claims.html`: what was claimed, by whom, and what was found; one file that fetches nothing."""

import math
from pathlib import Path
from typing import Any

from markupsafe import Markup

from testbed.claims.claim import Claim, Finding
from testbed.claims.deciding import number
from testbed.claims.store import Store
from testbed.files import write_atomically
from testbed.report.facts import machine
from testbed.report.page import STYLES, static
from testbed.report.templating import fill

FILE = "claims.html"
# Beside the words, for who looks and not reads. Colour says the same once more.
MARKS = {"holds": "✓", "does not hold": "✗", "not shown": "~", "inconclusive here": "?"}

_WIDTH, _HEIGHT = 260, 56
_ROOM = 0.08
"""What is left free at both ends of the axis, as a share of it."""


def write(store: Store, findings: dict[str, Finding]) -> Path:
    """Write the page beside the results, and return where."""
    cards = [_card(store, claim, findings[name]) for name, claim in store.claims.items()]
    by_outcome = [(outcome, [one for one in cards if one["finding"].outcome == outcome]) for outcome in MARKS]
    text = fill(
        "claims.html",
        cards=cards,
        by_outcome=[(outcome, MARKS[outcome], those) for outcome, those in by_outcome if those],
        quick=store.quick,
        machine=machine(found) if (found := store.manifest()) else "",
        style=Markup("\n".join(static(name) for name in STYLES)),
    )
    path = store.path / FILE
    write_atomically(path, str(text))
    return path


def _card(store: Store, claim: Claim, finding: Finding) -> dict[str, Any]:
    results = store.sweeps.get(claim.sweep)
    files = ("report.html", "trials.csv", "manifest.json") if results else ()
    return {
        "claim": claim,
        "finding": finding,
        "mark": MARKS[finding.outcome],
        "css": finding.outcome.replace(" ", "-"),
        "figure": figure(finding),
        "links": [(name, f"{results}/{name}") for name in files if (store.path / str(results) / name).exists()],
    }


def figure(finding: Finding) -> Markup:
    """The interval beside what was claimed; nothing where there is no interval. The axis is logarithmic where all of it
    is above zero, as ratios are."""
    low, high, estimate, bound = finding.low, finding.high, finding.estimate, finding.bound
    if low is None or high is None or estimate is None or bound is None:
        return Markup("")
    values = (low, high, estimate, bound)
    scale = math.log if min(values) > 0 else float
    least, most = min(map(scale, values)), max(map(scale, values))
    room = (most - least or 1.0) * _ROOM

    def place(value: float) -> float:
        return round(_WIDTH * (scale(value) - least + room) / (most - least + 2 * room), 1)

    return fill(
        "interval.svg",
        width=_WIDTH,
        height=_HEIGHT,
        low=place(low),
        high=place(high),
        estimate=place(estimate),
        bound=place(bound),
        claimed=f"claimed {number(bound)}",
        measured=number(estimate),
        # Words stand on the side of their mark on which there is room for them.
        anchor=_anchor,
        words=f"{number(estimate)}, interval {number(low)} to {number(high)}; claimed: {number(bound)}",
    )


def _anchor(place: float) -> str:
    return "start" if place < _WIDTH / 3 else "end" if place > 2 * _WIDTH / 3 else "middle"
