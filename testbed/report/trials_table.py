"""The table of all trials: sortable, filterable, with every column of trials.csv at hand."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from testbed.report.derive import DERIVED
from testbed.report.view import View, axis_text, duration, size
from testbed.report.words import VERDICTS
from testbed.results.directory import COLUMNS, TEXT_COLUMNS

Shape = Callable[[Any], str]


def _count(value: Any) -> str:
    return f"{value:,.0f}"


# What is in sight at first, besides the axes that vary: heading and how a value is written.
_MAIN: dict[str, tuple[str, Shape]] = {
    "throughput_rps": ("requests/s", _count),
    "latency_p50_us": ("p50", duration),
    "latency_p99_us": ("p99", duration),
    "cpu_us_per_request": ("CPU per request", duration),
    "memory_peak_bytes": ("peak memory", size),
    "throttled_percent": ("throttled", lambda value: f"{value:.0f} %"),
    "failed": ("failed", _count),
}


def trials_table(view: View) -> Markup:
    """The tools and the table. A heading sorts; a cell's `data-value` is what it sorts by."""
    axes = [axis.name for axis in view.axes if axis.name in COLUMNS]
    main = ["trial_id", "model", *axes, "verdict", *_MAIN]
    every = dict.fromkeys((*main, "reasons", *COLUMNS, *DERIVED))
    heading = {"trial_id": "trial", **{axis.name: axis.title for axis in view.axes}}
    heading |= {name: text for name, (text, _) in _MAIN.items()}
    shapes: dict[str, Shape] = {name: shape for name, (_, shape) in _MAIN.items()}
    shapes |= {name: _axis_shape(name) for name in axes}
    shown = {*main, "reasons"}
    head = Markup("").join(
        Markup('<th scope="col" aria-sort="none"{} title="{}"><button type="button">{}</button></th>').format(
            _classes(name, shown), COLUMNS.get(name) or DERIVED.get(name) or "", heading.get(name, name)
        )
        for name in every
    )
    rows = Markup("\n").join(
        Markup('<tr class="trial {0}" data-verdict="{0}">{1}</tr>').format(
            row["verdict"],
            Markup("").join(_cell(name, row.get(name), shapes.get(name), shown) for name in every),
        )
        for row in view.results.rows
    )
    return Markup(
        '{}<div class="scroll trials-scroll" role="region" tabindex="0" aria-label="All trials">'
        '<table class="sortable" id="trials-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(_tools(view), head, rows)


def _axis_shape(name: str) -> Shape:
    return lambda value: axis_text(name, value)


def _classes(name: str, shown: set[str]) -> Markup:
    names = [*(["n"] if name not in TEXT_COLUMNS else []), *(["extra"] if name not in shown else [])]
    names += ["reasons"] if name == "reasons" else ["verdict"] if name == "verdict" else []
    return Markup(' class="{}"').format(" ".join(names)) if names else Markup("")


def _cell(name: str, value: Any, shape: Shape | None, shown: set[str]) -> Markup:
    if value is None or value == "":
        return Markup("<td{}></td>").format(_classes(name, shown))
    if shape is None or isinstance(value, str):
        text = f"{value:.6g}" if isinstance(value, float) else value
        return Markup("<td{}>{}</td>").format(_classes(name, shown), shape(value) if shape else text)
    raw = f"{value:.8g}" if isinstance(value, float) else value
    return Markup('<td{} data-value="{}">{}</td>').format(_classes(name, shown), raw, shape(value))


def _tools(view: View) -> Markup:
    present = {str(row["verdict"]) for row in view.results.rows}
    boxes = Markup(" ").join(
        Markup('<label title="{}"><input type="checkbox" name="verdict" value="{}" checked> {}</label>').format(
            VERDICTS.get(kind, ""), kind, kind
        )
        for kind in [*(one for one in VERDICTS if one in present), *sorted(present - VERDICTS.keys())]
    )
    return Markup(
        "<p>One line per trial. A click on a heading sorts by it, a second one the other way round; what a column "
        "means shows when the pointer rests on its heading. Empty: not known.</p>"
        '<div class="tools" data-table="trials-table" hidden>'
        '<label>Filter <input type="search" placeholder="words, such as {} 0.5"></label>{} '
        '<label><input type="checkbox" name="columns"> all columns</label><span role="status"></span></div>'
    ).format(view.models[0] if view.models else "server", boxes)
