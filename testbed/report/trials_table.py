"""The table of all trials: sortable, filterable, with every column of trials.csv at hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from testbed.report.derive import DERIVED
from testbed.report.facts import VERDICTS
from testbed.report.templating import fill
from testbed.report.view import View, axis_text, duration, size
from testbed.results.columns import COLUMNS, TEXT_COLUMNS

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

# Likewise where there were several boxes.
_OF_SYSTEMS: dict[str, tuple[str, Shape]] = {
    "imbalance": ("imbalance", lambda value: f"{value:.2f}"),
    "front_cpu_us_per_request": ("front's CPU per request", duration),
    "edge_hit_ratio": ("hits at the edge", lambda value: f"{100 * value:.3g} %"),
    "limited_share": ("limited", lambda value: f"{100 * value:.3g} %"),
    "stale_share": ("stale reads", lambda value: f"{100 * value:.3g} %"),
    "backend_errors": ("failed behind", _count),
}


@dataclass(frozen=True)
class _Column:
    name: str
    heading: str
    meaning: str
    classes: str
    shape: Shape | None


def trials_table(view: View) -> Markup:
    """The tools and the table. A heading sorts; a cell's `data-value` is what it sorts by."""
    columns = _columns(view)
    present = {str(row["verdict"]) for row in view.results.rows}
    kinds = [*(one for one in VERDICTS if one in present), *sorted(present - VERDICTS.keys())]
    return fill(
        "trials.html",
        example=view.models[0] if view.models else "server",
        verdicts=[(kind, VERDICTS.get(kind, "")) for kind in kinds],
        columns=columns,
        rows=[(row["verdict"], [_cell(row.get(one.name), one.shape) for one in columns]) for row in view.results.rows],
    )


def _columns(view: View) -> list[_Column]:
    axes = [axis.name for axis in view.axes if axis.name in COLUMNS]
    known = {name for row in view.results.rows for name in _OF_SYSTEMS if _says(row.get(name), name)}
    measured = _MAIN | {name: told for name, told in _OF_SYSTEMS.items() if name in known}
    main = ["trial_id", "model", *axes, "verdict", *measured]
    heading = {"trial_id": "trial", **{axis.name: axis.title for axis in view.axes}}
    heading |= {name: text for name, (text, _) in measured.items()}
    shapes: dict[str, Shape] = {name: shape for name, (_, shape) in measured.items()}
    shapes |= {name: _axis_shape(name) for name in axes}
    shown = {*main, "reasons"}
    return [
        _Column(
            name,
            heading.get(name, name),
            COLUMNS.get(name) or DERIVED.get(name) or "",
            _classes(name, name in shown),
            shapes.get(name),
        )
        for name in dict.fromkeys((*main, "reasons", *COLUMNS, *DERIVED))
    ]


def _says(value: Any, name: str) -> bool:
    """Over HTTP something might always be limited, and hardly ever is."""
    return bool(value) if name == "limited_share" else value is not None


def _axis_shape(name: str) -> Shape:
    return lambda value: axis_text(name, value)


def _classes(name: str, shown: bool) -> str:
    names = [*(["n"] if name not in TEXT_COLUMNS else []), *(["extra"] if not shown else [])]
    return " ".join([*names, *([name] if name in ("reasons", "verdict") else [])])


def _cell(value: Any, shape: Shape | None) -> tuple[object, object]:
    """What it sorts by, where that is not its text, and its text."""
    if value is None or value == "":
        return None, ""
    if shape is None:
        return None, f"{value:.6g}" if isinstance(value, float) else value
    if isinstance(value, str):
        return None, shape(value)
    return f"{value:.8g}" if isinstance(value, float) else value, shape(value)
