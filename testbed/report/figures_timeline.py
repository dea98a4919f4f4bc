"""Timelines: a trial by the second, its load, its latency, what served it and what was decided. Pure."""

from typing import Any

from testbed.judge.verdict import NOT_THE_SERVERS
from testbed.plan import scaling
from testbed.report import setups, standing
from testbed.report.colours import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILLION
from testbed.report.html import heads, table
from testbed.report.page import Figure
from testbed.report.source import Row
from testbed.report.timeline import Timeline, is_transient, objective_us, timeline
from testbed.report.traces import Trace
from testbed.report.view import Group, View, duration
from testbed.results.boxes import boxes

# Cells that have a figure of their own; the others share one.
MOST = 4
# Of cells that share a figure, so that it stays small.
MOST_SHARED = 60

_LINE: Trace = {"type": "scatter", "mode": "lines"}
_TRACES: tuple[Trace, ...] = (
    _LINE | {"name": "offered", "line": {"color": INK, "dash": "dot", "shape": "hv", "width": 1.5}, "yaxis": "y2"},
    _LINE | {"name": "served", "line": {"color": BLUE, "shape": "hv", "width": 2}, "yaxis": "y2"},
    _LINE | {"name": "failed or not sent", "line": {"color": VERMILLION, "shape": "hv", "width": 2}, "yaxis": "y2"},
    _LINE | {"name": "p99", "mode": "lines+markers", "line": {"color": PURPLE, "width": 1.5}, "marker": {"size": 5}},
    _LINE | {"name": "objective", "line": {"color": GREY, "dash": "dash", "width": 2}},
    _LINE | {"name": "CPUs reserved", "line": {"color": ORANGE, "shape": "hv", "width": 2}, "yaxis": "y3"},
    _LINE | {"name": "CPUs used", "line": {"color": GREEN, "shape": "hv", "width": 2}, "yaxis": "y3"},
    _LINE | {"name": "replicas that serve", "line": {"color": INK, "shape": "hv", "width": 2}, "yaxis": "y4"},
    {
        "type": "scatter",
        "mode": "markers",
        "name": "decision",
        "yaxis": "y4",
        "marker": {"color": VERMILLION, "size": 10, "symbol": "triangle-up"},
    },
)
_UNITS = (*["requests/s"] * 3, "ms", "ms", "CPU", "CPU", "", "")


def timelines(view: View) -> list[Figure]:
    """One for each of the first cells, those in which something was done first, and one for all others."""
    found = [(group, rows) for group in view.groups if (rows := _worth_it(view, group))]
    found.sort(key=lambda one: (-_most_actions(view, one[1]), not is_transient(one[1][0]), *standing.plainness(one[0])))
    figures = [
        _figure(view, f"timeline-{place}", f"Timeline: {setups.told(view, group)}", [(group, row) for row in rows])
        for place, (group, rows) in enumerate(found[:MOST], 1)
    ]
    others = [(group, rows[0]) for group, rows in found[MOST : MOST + MOST_SHARED]]
    figures.append(_figure(view, "timeline-others", "Timelines of the others", others))
    return [figure for figure in figures if figure is not None]


def _worth_it(view: View, group: Group) -> list[Row]:
    """The trials of a group in which something was to change or that had several boxes; the middle one first."""
    rows = [row for row in group.rows if is_transient(row) or _boxes(view, row) > 1]
    valid = sorted((row for row in rows if row["verdict"] != "invalid"), key=_speed)
    middle = valid[(len(valid) - 1) // 2 : (len(valid) - 1) // 2 + 1]
    return [*middle, *(row for row in rows if not any(row is one for one in middle))]


def _speed(row: Row) -> float:
    return float(row.get("throughput_rps") or 0.0)


def _boxes(view: View, row: Row) -> int:
    record = view.results.file(row["trial_id"], "trial.json") or {}
    return sum(box.get("role") in ("server", "front") for box in boxes(record))


def _most_actions(view: View, rows: list[Row]) -> int:
    records = (view.results.file(row["trial_id"], "trial.json") or {} for row in rows)
    return max(len(record.get("actions") or ()) for record in records)


def _figure(view: View, name: str, title: str, trials: list[tuple[Group, Row]]) -> Figure | None:
    objective = objective_us(view.results)
    options, numbers, times = [], [], []
    for group, row in trials:
        if (seen := timeline(view.results, row)) is None:
            continue
        setup = f"{setups.told(view, group)}, " if name == "timeline-others" else ""
        note = f", {row['verdict']}" if row["verdict"] in NOT_THE_SERVERS else ""
        meta = {"model": group.series, "when": {}}
        options.append(
            {
                "label": f"{setup}{row['trial_id']}{note}",
                "meta": meta,
                "traces": drawn(seen, objective),
                "layout": _decisions(seen),
            }
        )
        numbers += _actions(row, seen)
        times.append(seen)
    if not options:
        return None
    data = [
        one | {"hovertemplate": f"%{{x:.1f}} s: %{{y:,.4~g}} {unit}<extra>{one['name']}</extra>"}
        for one, unit in zip(_TRACES, _UNITS, strict=True)
    ]
    data[-1]["hovertemplate"] = "%{x:.1f} s: %{text}<extra>decision</extra>"
    plotly = {"data": data, "layout": _layout(), "picks": {"label": "Trial", "options": options}}
    return Figure(name, title, _caption(times, objective), plotly, str(_numbers(numbers)) if numbers else "")


def drawn(seen: Timeline, objective: float | None) -> list[Trace]:
    """What is laid over the traces of the figure, in their order."""
    lost = tuple(
        None if failed is None and missed is None else (failed or 0) + (missed or 0)
        for failed, missed in zip(seen.failed, seen.missed, strict=True)
    )
    end = seen.starts[-1] + seen.lengths[-1]
    p99 = [None if value is None else round(value / 1e3, 3) for value in seen.p99_us]
    middles = [round(start + length / 2, 2) for start, length in zip(seen.starts, seen.lengths, strict=True)]
    limit = None if objective is None else objective / 1e3
    return [
        _by_second(seen, seen.rate(seen.offered)),
        _by_second(seen, seen.rate(seen.served)),
        _by_second(seen, seen.rate(lost) if any(lost) else (None,) * len(lost)),
        {"x": middles, "y": p99},
        {"x": [seen.starts[0], end] if limit else [], "y": [limit, limit] if limit else []},
        _levels(seen, 2),
        _by_second(seen, seen.used_cpus),
        _levels(seen, 1),
        {
            "x": [one["at_s"] for one in seen.actions],
            "y": [_serving(seen, one["at_s"]) for one in seen.actions],
            "text": [decision(one) for one in seen.actions],
        },
    ]


def _by_second(seen: Timeline, values: tuple[float | None, ...]) -> Trace:
    """Level through each second, to the end of the last."""
    rounded = [None if value is None else round(value, 3) for value in values]
    end = round(seen.starts[-1] + seen.lengths[-1], 3)
    if all(value is None for value in rounded):
        return {"x": [], "y": [], "showlegend": False}
    return {"x": [*seen.starts, end], "y": [*rounded, rounded[-1]]}


def _levels(seen: Timeline, place: int) -> Trace:
    """From when to when there was how much."""
    first, end = seen.starts[0], seen.starts[-1] + seen.lengths[-1]
    within = [level for level in seen.levels if level[0] < end]
    before = [level for level in within if level[0] <= first][-1:]
    kept = [*before, *(level for level in within if level[0] > first)]
    if not kept:
        return {"x": [], "y": [], "showlegend": False}
    x = [round(max(level[0], first), 3) for level in kept]
    return {"x": [*x, round(end, 3)], "y": [*(level[place] for level in kept), kept[-1][place]]}


def _serving(seen: Timeline, second: float) -> float:
    return next((level[1] for level in reversed(seen.levels) if level[0] <= second), 0.0)


def decision(action: dict[str, Any]) -> str:
    """What was decided, why, and what came of it, in a line."""
    what = action["what"]
    was, to = (_amount(what, action.get(name)) for name in ("was", "to"))
    end = "" if action.get("done") else "; not brought to its end"
    took = "" if action.get("took_s") is None else f", in force after {action['took_s']:.1f} s"
    return f"{what} {was} to {to}{took}{end}: {action.get('reason') or 'no reason given'}"


def _amount(what: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, int | float):
        return "not known"
    return str(scaling.amount_of("memory", value)) if what == "memory" else f"{value:g}"


def _decisions(seen: Timeline) -> dict[str, Any]:
    """A thin line through all panels for each."""
    line = {"dash": "dot", "width": 1, "color": VERMILLION}
    at = [one["at_s"] for one in seen.actions]
    return {
        "shapes": [
            {"type": "line", "xref": "x", "yref": "paper", "x0": second, "x1": second, "y0": 0, "y1": 1, "line": line}
            for second in at
        ]
    }


def _layout() -> dict[str, Any]:
    """Four panels over one axis of time. The first y axis is that of latency: it alone has a logarithmic scale."""

    def panel(title: str, low: float, high: float, **more: Any) -> dict[str, Any]:
        return {"title": {"text": title}, "domain": [low, high], "rangemode": "tozero", **more}

    return {
        "height": 640,
        "hovermode": "closest",
        "xaxis": {"title": {"text": "seconds since the window opened"}, "anchor": "y4"},
        "yaxis2": panel("requests/s", 0.73, 1.0),
        "yaxis": {"title": {"text": "p99 (ms)"}, "type": "log", "domain": [0.45, 0.69]},
        "yaxis3": panel("CPUs", 0.22, 0.41),
        "yaxis4": panel("replicas", 0.0, 0.18, tickformat=",d"),
    }


def _caption(times: list[Timeline], objective: float | None) -> str:
    words = [
        (
            "One trial by the second, so no interval. From the top: requests offered and served; the p99 latency of "
            "what was answered in that second, on a logarithmic scale (of fewer than 100 replies the slowest); CPU "
            "limits of all replicas together and what they used; replicas that were given connections."
        )
    ]
    if any(seen.actions for seen in times):
        words.append("Triangles and thin lines: decisions, whose reasons show when the pointer rests on a triangle.")
    if objective is not None:
        words.append(f"The dashed line is the objective, a p99 of {duration(objective)}.")
    if any(value is None for seen in times for value in seen.used_cpus):
        words.append("Where a line has a gap the second is not known: not all probes have seen the whole of it.")
    words.append("The middle one of the valid trials, by requests served, comes first.")
    return " ".join(words)


def _actions(row: Row, seen: Timeline) -> list[list[object]]:
    return [
        [
            row["trial_id"],
            f"{one['at_s']:.1f}",
            one["what"],
            _amount(one["what"], one.get("was")),
            _amount(one["what"], one.get("to")),
            "not known" if one.get("took_s") is None else f"{one['took_s']:.1f}",
            one.get("reason") or "",
            "; ".join(str(said) for said in one.get("said") or ()),
        ]
        for one in seen.actions
    ]


def _numbers(rows: list[list[object]]) -> object:
    names = ("trial", "second", "what", "was", "to", "in force after (s)", "reason", "what came of it")
    numeric = (1, 3, 4, 5)
    return table(heads([(name, place in numeric) for place, name in enumerate(names)]), rows, numeric)
