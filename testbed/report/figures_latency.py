"""The figures of latency: against throughput, and its distribution on a percentile axis."""

import math
from typing import Any

import numpy as np

from testbed.report import traces
from testbed.report.figures import THROUGHPUT
from testbed.report.html import heads, table
from testbed.report.page import Figure
from testbed.report.traces import Quantity, Trace
from testbed.report.view import LOAD_AXES, Group, View, axis_text, duration

P99 = Quantity("latency_p99_us", "p99 latency", "ms", 1 / 1000)
P50 = Quantity("latency_p50_us", "median latency", "ms", 1 / 1000)

# Points of a distribution for each tenfold of 1/(1-p): more cannot be seen.
PER_DECADE = 24
PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)


def throughput_latency(view: View) -> Figure | None:
    """Each model's path through throughput and p99 latency as the load rises, or else as the CPU limit does."""
    if view.results.is_search:
        return _search_steps(view)
    groups = [group for group in view.groups if group.values(P99.column) and group.values(THROUGHPUT.column)]
    if not groups:
        return None
    along = [axis for axis in view.axes if axis.name in LOAD_AXES] or [a for a in view.axes if a.name == "cpus"]
    names = [axis.name for axis in along]
    data: list[Trace] = []
    for mine in traces.collected(groups, names):
        order = {axis.name: {value: index for index, value in enumerate(axis.values)} for axis in along}
        mine.sort(key=lambda group: [order[name][group.when[name]] for name in names])
        x = [THROUGHPUT.shown(group.median(THROUGHPUT.column)) for group in mine]
        trace = traces.line(view, mine, x, P99, names)
        bars = traces.error_bars([group.interval(THROUGHPUT.column) for group in mine], THROUGHPUT)
        trace["customdata"] = [", ".join(axis_text(name, group.when[name]) for name in names) for group in mine]
        trace["hovertemplate"] = f"%{{customdata}}: %{{x:,}} requests/s, p99 %{{y:,}} ms<extra>{mine[0].series}</extra>"
        data.append(trace if bars is None else trace | {"error_x": bars | {"color": trace["line"]["color"]}})
    known = {"users": "number of users", "rate_rps": "rate of requests sent"}
    steps = " and the ".join(known.get(axis.name, axis.title) for axis in along)
    path = f"Along a line the {steps} rise{'' if len(along) > 1 else 's'}. " if along else ""
    caption = (
        f"{path}Right is more requests, low is shorter waits: the lower right corner is best. p99: 99 % of requests "
        "were answered within this time, in milliseconds, logarithmic. Invalid trials are left out. "
        f"{traces.bars_words(view)}"
    )
    return Figure(
        "throughput-latency",
        "Throughput and latency",
        caption,
        {"data": data, "layout": _layout()},
        str(traces.numbers(view, groups, [THROUGHPUT, P99, P50])),
    )


def _layout(slo_us: float | None = None) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": THROUGHPUT.title}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": P99.title}, "type": "log"},
        "hovermode": "closest",
    }
    if slo_us is not None:
        y = slo_us / 1000
        layout["shapes"] = [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": {"dash": "dot", "width": 1}}
        ]
    return layout


def _search_steps(view: View) -> Figure | None:
    """Of a search every trial is a point: rates differ between blocks, so there is nothing to take a median of."""
    kept = {name for axis in view.axes if (name := axis.name) not in ("share", "rate_rps")}
    groups: dict[Any, Group] = {}
    by_cell = {}
    for group in view.groups:
        by_cell[(group.model, *(group.when[name] for name in sorted(kept)))] = group
    for row in view.results.rows:
        known = by_cell.get((row["model"], *(row.get(name) for name in sorted(kept))))
        if known is None or row.get("canary") or row[P99.column] is None or row["verdict"] == "invalid":
            continue
        place = (known.series, *(known.when[name] for name in sorted(kept)))
        when = {name: known.when[name] for name in kept}
        groups.setdefault(place, Group(known.model, known.series, when)).rows.append(row)
    data = []
    for group in sorted(groups.values(), key=lambda one: view.series.index(one.series)):
        drawn = traces.series_look(view, group)
        rows = sorted(group.rows, key=lambda row: row["rate_rps"] or 0.0)
        hollow = ["-open" if row["verdict"] == "client-bound" else "" for row in rows]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": group.series,
                "x": [THROUGHPUT.shown(row[THROUGHPUT.column]) for row in rows],
                "y": [P99.shown(row[P99.column]) for row in rows],
                "text": [str(row["trial_id"]) for row in rows],
                "hovertemplate": "%{x:,} requests/s, p99 %{y:,} ms<extra>%{text}</extra>",
                "marker": {"color": drawn.colour, "size": 8, "symbol": [drawn.symbol + one for one in hollow]},
                "meta": traces.meta(group),
            }
        )
    if not data:
        return None
    slo = view.results.slo_p99_us
    caption = (
        "Every trial of the searches is a point, at the rate it served and its p99 latency in milliseconds, "
        "logarithmic; no interval belongs to a point. Hollow: client-bound. "
        f"{f'Dotted: the objective, {duration(slo)}.' if slo else ''}"
    )
    return Figure("throughput-latency", "Throughput and latency", caption, {"data": data, "layout": _layout(slo)})


Buckets = dict[tuple[float, float], int]


def merged(view: View, group: Group) -> Buckets:
    """The latency histograms of a group's valid trials, added: (lower edge, upper edge) in µs to count."""
    counts: Buckets = {}
    for row in group.good:
        load = view.results.file(row["trial_id"], "load.json") or {}
        for bucket in (load.get("histograms") or {}).get("latency") or ():
            lower, upper, count = bucket
            counts[(lower, upper)] = counts.get((lower, upper), 0) + count
    return counts


def curve(counts: Buckets) -> tuple[list[float], list[float]]:
    """x = 1/(1-p) up to the sample's size, and the latency in µs at p; as HdrHistogram draws percentiles."""
    edges = sorted(counts)
    total = sum(counts.values())
    if not total:
        return [], []
    cumulated = np.cumsum([counts[edge] for edge in edges])
    decades = math.log10(total)
    grid = [10 ** (step / PER_DECADE) for step in range(int(decades * PER_DECADE) + 1)]
    x: list[float] = []
    y: list[float] = []
    for place in (*grid, float(total)):
        rank = max(1, math.ceil((1 - 1 / place) * total - 1e-9))
        lower, upper = edges[int(np.searchsorted(cumulated, rank))]
        middle = (lower + upper) / 2
        # Where nothing changes the ends of the level suffice.
        if len(y) > 1 and y[-1] == y[-2] == middle:
            x.pop()
            y.pop()
        x.append(float(f"{place:.4g}"))
        y.append(middle)
    return x, y


def at(counts: Buckets, fraction: float) -> float | None:
    """A percentile of the merged sample; None where it has less than one value beyond it."""
    total = sum(counts.values())
    if not total or total * (1 - fraction) < 1 - 1e-9:
        return None
    edges = sorted(counts)
    cumulated = np.cumsum([counts[edge] for edge in edges])
    lower, upper = edges[int(np.searchsorted(cumulated, math.ceil(fraction * total - 1e-9)))]
    return (lower + upper) / 2


def distribution(view: View) -> Figure | None:
    """Latency by percentile, one line a model."""
    data: list[Trace] = []
    rows, attributes = [], []
    for group in view.groups:
        counts = merged(view, group)
        x, y = curve(counts)
        if not x:
            continue
        drawn = traces.series_look(view, group)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": group.series,
                "x": x,
                "y": [float(f"{value / 1000:.4g}") for value in y],
                "line": {"color": drawn.colour, "dash": drawn.dash, "width": 2},
                "hovertemplate": f"%{{y:,}} ms<extra>{group.series}</extra>",
                "meta": traces.meta(group),
            }
        )
        found = [at(counts, fraction) for fraction in PERCENTILES]
        cells = [axis_text(axis.name, group.when[axis.name]) for axis in view.axes]
        texts = [P50.text(value) if value is not None else "sample too small" for value in found]
        rows.append([group.series, *cells, *texts, f"{sum(counts.values()):,}"])
        attributes.append({"data-model": group.series})
    if not data:
        return None
    names = [(axis.title, False) for axis in view.axes]
    columns = [("model", False), *names, *((f"p{100 * one:g} (ms)", True) for one in PERCENTILES), ("requests", True)]
    ticks = [2, *(10**power for power in range(1, 7))]
    labels = ["50", "90", "99", "99.9", "99.99", "99.999", "99.9999"]
    layout = {
        "xaxis": {
            "type": "log",
            "title": {"text": "percentile of requests (%)"},
            "tickvals": ticks,
            "ticktext": labels,
            "tickangle": 0,
        },
        "yaxis": {"type": "log", "title": {"text": "latency (ms)"}},
        "hovermode": "closest",
    }
    caption = (
        "Latency in milliseconds, logarithmic, below which that share of requests stayed; each step to the right "
        "looks at ten times fewer, slower requests. The requests of all valid trials of a line together, by adding "
        "histograms (error below 1 %); no interval: how much trials differ, the other figures show. A line ends where "
        "its sample does."
    )
    numbers = table(heads(columns), rows, range(1 + len(names), len(columns)), attributes)
    return Figure("latency", "Latency by percentile", caption, {"data": data, "layout": layout}, str(numbers))
