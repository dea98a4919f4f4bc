"""What a fault on purpose did to each system, as tables of "Which system"."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from markupsafe import Markup

from testbed.plan.fault import NONE
from testbed.plan.fault_values import label
from testbed.report import setups
from testbed.report.html import heads, table
from testbed.report.source import Row
from testbed.report.view import Group, View

ABOUT = (
    "Medians of the valid trials, with the least and the most where they differ. Failed, and connections lost among "
    "them, are of the whole window. The outage lasts from the fault to the end of the last second in which more than "
    "1 % of the requests failed, or at whose end more waited than before; with + it was still on when the window "
    "closed. Ejected after: from the fault on; back after: from its end on. Amplification: requests to servers by "
    "requests of clients."
)
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("failed", "failed"),
    ("connections_lost", "connections lost"),
    ("outage_s", "outage (s)"),
    ("ejected_after_s", "ejected after (s)"),
    ("back_after_s", "back after (s)"),
    ("amplification", "amplification"),
)
# An empty field of these says that it did not come to that.
_EVENTS = ("ejected_after_s", "back_after_s")


def contests(view: View) -> list[dict[str, Any]]:
    """One for each fault: its heading, what the numbers are, and a table of all systems that met it."""
    return [
        {"heading": f"On purpose: {label(fault)}", "about": ABOUT, "table": _table(view, groups)}
        for fault, groups in _by_fault(view).items()
    ]


def in_short(view: View) -> list[Markup]:
    """A line for each fault that several systems met: with which the fewest requests failed, and the most."""
    lines = []
    for fault, groups in _by_fault(view).items():
        failed = {_called(view, group): group.median("failed") for group in groups}
        known = sorted((count, name) for name, count in failed.items() if count is not None)
        if len(known) < 2:
            continue
        (fewest, first), (most, last) = known[0], known[-1]
        said = f"{fewest:,.6g} requests failed in the median with {first}"
        said += f", {most:,.6g} with {last}" if most > fewest else ", and as many with every other system"
        lines.append(Markup("On purpose: {}: {}.").format(label(fault), said))
    return lines


def _by_fault(view: View) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in view.groups:
        if (fault := str(group.rows[0].get("fault") or NONE)) != NONE:
            found.setdefault(fault, []).append(group)
    return found


def _table(view: View, groups: Sequence[Group]) -> object:
    names = ["system", *(name for _, name in _COLUMNS), "trials"]
    rows = [
        [_called(view, group), *(_text(group.good, column) for column, _ in _COLUMNS), len(group.good)]
        for group in groups
    ]
    return table(heads([(name, place > 0) for place, name in enumerate(names)]), rows, range(1, len(names)))


def _called(view: View, group: Group) -> str:
    told = setups.in_words(view, group.rows[0], ("fault", "model"))
    return f"{group.series}, {told}" if told else group.series


def _text(rows: Sequence[Row], column: str) -> str:
    """What came of it; a value that only some have says of how many."""
    values = [float(row[column]) for row in rows if row.get(column) is not None]
    if not values:
        return "did not" if column in _EVENTS and rows else "not known"
    low, high = min(values), max(values)
    shown = _number(median(values)) if low == high else f"{_number(median(values))} ({_number(low)} to {_number(high)})"
    goes_on = column == "outage_s" and any(row.get("outage_over") is False for row in rows)
    part = "" if len(values) == len(rows) else f", in {len(values)} of {len(rows)}"
    return f"{shown}{'+' if goes_on else ''}{part}"


_number: Callable[[float], str] = "{:,.4g}".format
