"""What all figures are made of: a model's line with its intervals, its single trials, and the table under a figure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from testbed.plan.redo import counted
from testbed.report.colours import Look, look
from testbed.report.html import heads, table
from testbed.report.view import Group, View, axis_text, percent
from testbed.statistics import FEWEST_BLOCKS, Interval

Trace = dict[str, Any]

# Where one model was measured with several pools, these markers tell the pools apart.
_VARIANT_SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "star", "hexagon")


@dataclass(frozen=True)
class Quantity:
    """A column as a figure shows it."""

    column: str
    heading: str
    unit: str
    scale: float = 1.0
    digits: int = 4

    @property
    def title(self) -> str:
        return f"{self.heading} ({self.unit})" if self.unit else self.heading

    def shown(self, value: float | None) -> float | None:
        """In the figure's unit, with no more digits than mean anything."""
        return None if value is None else float(f"{value * self.scale:.{self.digits}g}")

    def text(self, value: float | None) -> str:
        shown = self.shown(value)
        return "not known" if shown is None else f"{shown:,.6g}"


def series_look(view: View, group: Group) -> Look:
    """Colour by model; of several pools of one model each has its own marker."""
    base = look(group.model)
    variants = list(dict.fromkeys(one.series for one in view.groups if one.model == group.model))
    if len(variants) < 2:
        return base
    return replace(base, symbol=_VARIANT_SYMBOLS[variants.index(group.series) % len(_VARIANT_SYMBOLS)])


def meta(group: Group, without: Iterable[str] = ()) -> dict[str, Any]:
    """By what the page's selectors show or hide it (static/figures.js)."""
    left = set(without)
    return {"model": group.series, "when": {name: key(value) for name, value in group.when.items() if name not in left}}


def key(value: Any) -> str:
    """A value of an axis as the page's selectors hold it."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def error_bars(intervals: list[Interval | None], quantity: Quantity) -> dict[str, Any] | None:
    """Plotly's error bars; none where no point has an interval."""
    if not any(one is not None and one.low is not None for one in intervals):
        return None
    up, down = [], []
    for one in intervals:
        known = one is not None and one.low is not None and one.high is not None
        assert one is None or not known or (one.high is not None and one.low is not None)
        up.append(quantity.shown(one.high - one.estimate) if known and one and one.high is not None else 0)
        down.append(quantity.shown(one.estimate - one.low) if known and one and one.low is not None else 0)
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.3, "width": 4}


def line(view: View, groups: list[Group], x: list[Any], quantity: Quantity, without: Iterable[str]) -> Trace:
    """One model's medians with their intervals; hollow where a trial measured the generator."""
    drawn = series_look(view, groups[0])
    intervals = [group.interval(quantity.column) for group in groups]
    limits = [axis_text("cpus", group.rows[0].get("cpus")) for group in groups]
    trace: Trace = {
        "type": "scatter",
        "mode": "lines+markers" if len(groups) > 1 else "markers",
        "name": groups[0].series,
        "legendgroup": groups[0].series,
        "x": x,
        "y": [quantity.shown(None if one is None else one.estimate) for one in intervals],
        "line": {"color": drawn.colour, "dash": drawn.dash, "width": 2},
        "marker": {
            "color": drawn.colour,
            "size": 9,
            "symbol": [drawn.symbol + ("-open" if _at_least(group, quantity) else "") for group in groups],
        },
        "customdata": limits,
        "hovertemplate": f"%{{customdata}}: %{{y:,}} {quantity.unit}<extra>{groups[0].series}, median</extra>",
        "meta": meta(groups[0], without),
    }
    bars = error_bars(intervals, quantity)
    return trace if bars is None else trace | {"error_y": bars | {"color": drawn.colour}}


def trials(view: View, groups: list[Group], x: list[Any], quantity: Quantity, without: Iterable[str]) -> Trace | None:
    """The single trials behind a line: dots, hollow for client-bound ones, hollow diamonds for front-bound ones,
    hollow squares for backend-bound ones, crosses for invalid ones."""
    drawn = series_look(view, groups[0])
    marks = {"invalid": "x-thin-open", "client-bound": "circle-open", "front-bound": "diamond-open"}
    marks["backend-bound"] = "square-open"
    points = [
        (place, quantity.shown(float(row[quantity.column])), marks.get(row["verdict"], "circle"), row)
        for place, group in zip(x, groups, strict=True)
        for row in counted(group.rows)
        if row.get(quantity.column) is not None
    ]
    # One valid trial a point is the median itself.
    if not points or (len(points) <= len(groups) and all(mark == "circle" for _, _, mark, _ in points)):
        return None
    return {
        "type": "scatter",
        "mode": "markers",
        "name": groups[0].series,
        "legendgroup": groups[0].series,
        "showlegend": False,
        "x": [place for place, _, _, _ in points],
        "y": [y for _, y, _, _ in points],
        "text": [f"{row['trial_id']}, {row['verdict']}" for _, _, _, row in points],
        "hovertemplate": f"%{{y:,}} {quantity.unit}<extra>%{{text}}</extra>",
        "opacity": 0.6,
        "marker": {
            "color": drawn.colour,
            "size": [10 if mark == "x-thin-open" else 6 for _, _, mark, _ in points],
            "symbol": [mark for _, _, mark, _ in points],
            "line": {"color": drawn.colour, "width": 1.5},
        },
        "meta": meta(groups[0], without),
    }


def collected(groups: Iterable[Group], without: Iterable[str]) -> list[list[Group]]:
    """Groups of one line: the same model under conditions that differ in the axes `without` only."""
    left = set(without)
    found: dict[Any, list[Group]] = {}
    for group in groups:
        key_of = (group.series, *((name, value) for name, value in group.when.items() if name not in left))
        found.setdefault(key_of, []).append(group)
    return list(found.values())


def bars_words(view: View, drawn: bool = True) -> str:
    """What the bars of a figure are, and what they can claim with so many trials."""
    counts = sorted({len(group.good) for group in view.groups if group.good})
    if not counts:
        return "No trial is valid, so there are no medians."
    if counts[-1] < FEWEST_BLOCKS or not drawn:
        most = counts[-1]
        return f"No intervals: {most} trial{'s' if most != 1 else ''} a point show{'s' if most == 1 else ''} no spread."
    trials_text = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    most_sure = 1 - 2.0 ** (1 - counts[-1])
    if counts[-1] < 6:
        return (
            f"Points are medians of {trials_text} trials; bars are the whole range of the trials, which holds the true "
            f"median with {percent(most_sure)} confidence at most."
        )
    return f"Points are medians of {trials_text} trials; bars are 95 % bootstrap intervals of the median."


def _at_least(group: Group, quantity: Quantity) -> bool:
    """Whether the generator was the limit, so that the server may be capable of more than the point says."""
    return group.capacity_at_least if quantity.column == "capacity_rps" else group.client_bound


def marks_words(view: View) -> str:
    """What the markers say of single trials, as far as there are such."""
    kinds = {row["verdict"] for group in view.groups for row in group.rows}
    parts = ["Small dots are single trials."] * any(len(group.rows) > 1 for group in view.groups)
    parts += ["Hollow: client-bound, the load generator was the limit."] * ("client-bound" in kinds)
    parts += ["Hollow diamond: front-bound, what stands before the servers was the limit."] * ("front-bound" in kinds)
    parts += ["Hollow square: backend-bound, what is behind the servers was the limit."] * ("backend-bound" in kinds)
    parts += ["Cross: invalid, not counted."] * ("invalid" in kinds)
    return " ".join(parts)


def numbers(view: View, groups: list[Group], quantities: list[Quantity]) -> Markup:
    """The table under a figure: one line a group, its medians and what they rest on."""
    names = [axis.name for axis in view.axes]
    titles = {axis.name: axis.title for axis in view.axes}
    columns = [("model", False), *((titles[name], False) for name in names)]
    for quantity in quantities:
        columns += [(quantity.title, True), ("interval", True)]
    columns.append(("valid trials", True))
    rows, attributes = [], []
    for group in groups:
        cells: list[object] = [group.series, *(axis_text(name, group.when[name]) for name in names)]
        for quantity in quantities:
            found = group.interval(quantity.column)
            cells.append(quantity.text(None if found is None else found.estimate))
            cells.append(interval_text(found, quantity))
        cells.append(f"{len(group.good)} of {len(counted(group.rows))}")
        rows.append(cells)
        attributes.append({"data-model": group.series})
    first_number = 1 + len(names)
    return table(heads(columns), rows, range(first_number, len(columns)), attributes)


def interval_text(found: Interval | None, quantity: Quantity) -> str:
    """An interval with its confidence; why there is none otherwise."""
    if found is None or found.low is None or found.high is None:
        return "none"
    return f"{quantity.text(found.low)} to {quantity.text(found.high)} ({percent(found.confidence)})"
