"""The figures over the CPU limit: throughput, cost per request, memory, throttling, and switches by model. Pure."""

from typing import Any

from testbed.report import traces
from testbed.report.colours import INK
from testbed.report.page import Figure
from testbed.report.traces import Quantity, Trace
from testbed.report.view import Group, View, duration

# How far models lie from each other at the same CPU limit, of the axis' length.
DODGE = 0.012

THROUGHPUT = Quantity("throughput_rps", "requests served", "requests/s")
CAPACITY = Quantity("capacity_rps", "highest rate that held", "requests/s")
CPU = Quantity("cpu_us_per_request", "CPU time per request", "µs")
MEMORY = Quantity("memory_peak_bytes", "peak memory", "MiB", 1 / 2**20)
PSS = Quantity("pss_per_process_bytes", "PSS per process", "MiB", 1 / 2**20)
THROTTLED = Quantity("throttled_percent", "time stopped", "% of the window")
PERIODS = Quantity("throttled_periods_percent", "quota periods stopped", "%")
VOLUNTARY = Quantity("voluntary_per_request", "voluntary switches", "per request")
INVOLUNTARY = Quantity("involuntary_per_request", "involuntary switches", "per request")


def _held(view: View, objective: str) -> str:
    """What the figure of capacities shows, and what it cannot."""
    words = f"The highest rate that held {objective}."
    if any(group.capacity_at_least for group in view.groups):
        words += " Hollow: the load generator was the limit, the server holds at least that."
    if lacking := dict.fromkeys(group.series for group in view.groups if group.not_answered):
        words += f" Searches of {', '.join(lacking)} are not answered, and give no number."
    return words


def over_cpus(view: View) -> list[Figure]:
    """Each only where at least one trial knows its numbers."""
    slo = view.results.slo_p99_us
    figures = []
    if view.results.is_search:
        objective = "its objective" if slo is None else f"99 % of requests answered within {duration(slo)}"
        figures.append(_figure(view, "capacity", "Capacity by CPU limit", [CAPACITY], _held(view, objective)))
    figures += [
        _figure(
            view,
            "throughput",
            "Throughput by CPU limit",
            [THROUGHPUT],
            "Verified replies per second of the window. More is better.",
            True,
        ),
        _figure(
            view,
            "cpu-per-request",
            "CPU time per request",
            [CPU],
            "CPU time of the whole server container in the window by verified replies, in microseconds: what a request "
            "costs, the work itself included. Less is better.",
            True,
        ),
        _figure(
            view,
            "memory",
            "Peak memory of the container",
            [MEMORY],
            "The most memory charged to the container since its start, in MiB (2^20 bytes), buffers of the kernel "
            "included. Less is better.",
        ),
        _figure(
            view,
            "pss",
            "Memory per process (PSS)",
            [PSS],
            "Proportional set size of all processes of the server by their number, at the window's end, in MiB: what "
            "processes share is divided among them. Of a model with one process it is all of it.",
        ),
        _figure(
            view,
            "throttled",
            "Time stopped by the CPU limit (throttled)",
            [THROTTLED, PERIODS],
            "Time for which the server stood still because its quota was used up, in per cent of the window, summed "
            "over processors: several at once can make more than 100 %.",
        ),
        _switches(view),
    ]
    return [one for one in figures if one is not None]


def _figure(
    view: View, name: str, title: str, quantities: list[Quantity], words: str, single_trials: bool = False
) -> Figure | None:
    quantity = quantities[0]
    groups = [group for group in view.groups if any(row.get(quantity.column) is not None for row in group.rows)]
    if not groups or not (single_trials or any(group.values(quantity.column) for group in groups)):
        return None
    data: list[Trace] = []
    # What a search has found does not depend on the share of it that the selector shows.
    along = ["cpus", "share"] if quantity is CAPACITY else ["cpus"]
    for mine in traces.collected(groups, along):
        mine.sort(key=lambda group: _cpus(group) or 0.0)
        x = _places(view, mine)
        # The trials lie under the medians.
        single = traces.trials(view, mine, x, quantity, along) if single_trials else None
        data += [*([single] if single else []), traces.line(view, mine, x, quantity, along)]
    layout: dict[str, Any] = {
        "xaxis": _x_axis(view),
        "yaxis": {"title": {"text": quantity.title}, "rangemode": "tozero"},
        "hovermode": "closest",
    }
    if view.axis("cpus") is None:
        title = title.replace("by CPU limit", "by model")
    caption = " ".join(
        filter(None, [words, traces.bars_words(view), traces.marks_words(view) if single_trials else ""])
    )
    return Figure(name, title, caption, {"data": data, "layout": layout}, str(traces.numbers(view, groups, quantities)))


def _cpus(group: Group) -> float | None:
    value = group.rows[0].get("cpus")
    return None if value is None else float(value)


def _places(view: View, groups: list[Group]) -> list[Any]:
    """Where one model's points lie: models side by side, so that bars do not hide each other."""
    axis = view.axis("cpus")
    if axis is None:
        return [group.series for group in groups]
    known = [float(value) for value in axis.values if value is not None]
    width = DODGE * (max(known) - min(known)) if len(known) > 1 else 0.0
    aside = (view.series.index(groups[0].series) - (len(view.series) - 1) / 2) * width
    return [None if (cpus := _cpus(group)) is None else round(cpus + aside, 4) for group in groups]


def _x_axis(view: View) -> dict[str, Any]:
    axis = view.axis("cpus")
    if axis is None:
        return {"type": "category", "showgrid": False, "title": {"text": "model"}}
    known = [value for value in axis.values if value is not None]
    return {"title": {"text": "CPU limit (CPUs)"}, "tickvals": known, "ticktext": [f"{value:g}" for value in known]}


def _switches(view: View) -> Figure | None:
    groups = [group for group in view.groups if group.values(VOLUNTARY.column)]
    if not groups:
        return None
    data: list[Trace] = []
    for group in groups:
        drawn = traces.series_look(view, group)
        for quantity, pattern in ((VOLUNTARY, ""), (INVOLUNTARY, "/")):
            found = group.interval(quantity.column)
            trace: Trace = {
                "type": "bar",
                "name": quantity.heading,
                "x": [group.series],
                "y": [quantity.shown(None if found is None else found.estimate)],
                "offsetgroup": quantity.column,
                "showlegend": False,
                "marker": {"color": drawn.colour, "pattern": {"shape": pattern, "fgopacity": 0.9}},
                "hovertemplate": f"%{{y:,}} {quantity.heading} per request<extra>{group.series}</extra>",
                "meta": traces.meta(group),
            }
            bars = traces.error_bars([found], quantity)
            data.append(trace if bars is None else trace | {"error_y": bars | {"color": INK}})
    layout = {
        "barmode": "group",
        "xaxis": {"type": "category", "showgrid": False},
        "yaxis": {"title": {"text": "context switches per request"}, "rangemode": "tozero"},
    }
    caption = (
        "Left bar, plain: voluntary, the thread waited. Right bar, hatched: involuntary, its turn was over. Of all "
        f"threads and processes, also those that ended in the window. {traces.bars_words(view)}"
    )
    return Figure(
        "switches",
        "Context switches per request",
        caption,
        {"data": data, "layout": layout},
        str(traces.numbers(view, groups, [VOLUNTARY, INVOLUNTARY])),
    )
