"""The figures of what happens inside: the accept queue over time, and how a pool's workers share the requests."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from testbed.judge.verdict import NOT_THE_SERVERS
from testbed.report import traces
from testbed.report.colours import INK
from testbed.report.derive import exit_workers
from testbed.report.html import heads, table
from testbed.report.page import Figure
from testbed.report.source import Row
from testbed.report.view import View, axis_text
from testbed.results.boxes import server_files, servers

MOST_POINTS = 150

_DROPS = {
    "title": {"text": "connections dropped"},
    "overlaying": "y",
    "side": "right",
    "rangemode": "tozero",
    "showgrid": False,
    "tickmode": "auto",
}
# Up to here every whole number has a tick: half a connection there is none.
_COUNTED = 8


def accept_queue(view: View) -> Figure | None:
    """Connections waiting to be accepted, and dropped because too many waited; a selector picks the trial."""
    options, rows, attributes = [], [], []
    for group in view.groups:
        for row, server, series in _series(view, group.rows):
            waiting, dropped = queue_over_time(series, _opening(view, row))
            if not waiting[0]:
                continue
            trial = row["trial_id"] if server is None else f"{row['trial_id']} {server['name']}"
            told = row if server is None else server
            note = "" if row["verdict"] not in NOT_THE_SERVERS else f", {row['verdict']}"
            options.append(
                {
                    "label": f"{trial}{note}",
                    "meta": traces.meta(group),
                    "traces": [
                        {"x": waiting[0], "y": waiting[1]},
                        {"x": dropped[0], "y": dropped[1], **_if_none(dropped)},
                    ],
                    "layout": {
                        "yaxis": {"title": {"text": "connections waiting"}} | _whole(waiting[1]),
                        "yaxis2": _DROPS | {"visible": any(dropped[1])} | _whole(dropped[1]),
                    },
                }
            )
            cells = [axis_text(axis.name, group.when[axis.name]) for axis in view.axes]
            most = told["accept_queue_max"] if told.get("accept_queue_max") is not None else max(waiting[1])
            lost = "not known" if told.get("listen_overflows") is None else told["listen_overflows"]
            rows.append([trial, group.series, *cells, most, lost])
            attributes.append({"data-model": group.series})
    if not options:
        return None
    base = {"type": "scatter", "mode": "lines"}
    data = [
        base | {"name": "waiting to be accepted", "line": {"color": "#0072B2", "shape": "hv", "width": 2}},
        base
        | {
            "name": "dropped since the window opened (right)",
            "yaxis": "y2",
            "line": {"color": "#D55E00", "dash": "dot", "shape": "hv", "width": 2},
        },
    ]
    data = [one | {"hovertemplate": "%{x:.2f} s: %{y:,}<extra>" + one["name"] + "</extra>"} for one in data]  # type: ignore[operator]
    layout = {
        "xaxis": {"title": {"text": "seconds since the window opened"}},
        "yaxis": {"title": {"text": "connections waiting"}, "rangemode": "tozero"},
    }
    caption = (
        "Completed connections that the server has not yet accepted (left axis), and connections dropped because that "
        "queue was full (ListenOverflows, right axis), as the probe saw them. Before 0 is the warm-up. One trial, so "
        "no interval. Trials that are invalid or bound by something else than the server say so in the selector."
    )
    columns = [("trial", False), ("model", False), *((axis.title, False) for axis in view.axes)]
    columns += [("most waiting", True), ("dropped in the window", True)]
    numbers = table(heads(columns), rows, range(len(columns) - 2, len(columns)), attributes)
    plotly = {"data": data, "layout": layout, "picks": {"label": "Trial", "options": options}}
    return Figure("accept-queue", "Accept queue over time", caption, plotly, str(numbers))


def _series(view: View, rows: list[Row]) -> Iterator[tuple[Row, dict[str, Any] | None, list[dict[str, Any]]]]:
    """The samples of each trial; of one with several servers, those of each, with its box."""
    for row in rows:
        record = view.results.file(row["trial_id"], "trial.json") or {}
        boxes, files = servers(record), server_files(record, "probe.ndjson")
        for box in boxes:
            series = view.results.series(row["trial_id"], files[box["name"]])
            yield row, box if len(boxes) > 1 else None, series


def _whole(values: list[float]) -> dict[str, Any]:
    """An axis of counts."""
    few = max(values, default=0) <= _COUNTED
    return {"rangemode": "tozero", "tickformat": ",d"} | ({"tickmode": "linear", "dtick": 1, "tick0": 0} if few else {})


def _if_none(dropped: "Points") -> dict[str, str]:
    return {} if any(dropped[1]) else {"name": "none dropped"}


def _opening(view: View, row: Row) -> float | None:
    """When the window opened, as the load recorded it; else as the probe did."""
    record = view.results.file(row["trial_id"], "trial.json") or {}
    for name in ("load.json", *server_files(record, "probe.json").values()):
        value = ((view.results.file(row["trial_id"], name) or {}).get("window") or {}).get("opens_unix")
        if isinstance(value, int | float):
            return float(value)
    return None


Points = tuple[list[float], list[float]]


def queue_over_time(samples: list[dict[str, Any]], opens_unix: float | None) -> tuple[Points, Points]:
    """Depth and drops by seconds since the window opened, or since the first sample where that is not known.

    Steps that change nothing are left out: the line goes on level. At most MOST_POINTS of each.
    """
    known = [one for one in samples if one.get("accept_queue") is not None]
    if not known:
        return ([], []), ([], [])
    start = opens_unix if opens_unix is not None else known[0]["unix"]
    times = [round(one["unix"] - start, 2) for one in known]
    depth = [one["accept_queue"] for one in known]
    # The probe of a sweep counts from the container's start, that of the web page since its last line.
    before = [one.get("listen_overflows", 0) or 0 for one, time in zip(known, times, strict=True) if time <= 0]
    base = before[-1] if before else known[0].get("listen_overflows", 0) or 0
    drops, since = [], 0
    for one in known:
        since += one.get("listen_overflows_since_last", 0) or 0
        drops.append(max(0, (one.get("listen_overflows") or base) - base) + since)
    return _steps(times, depth), _steps(times, drops)


def _steps(x: list[float], y: list[float]) -> Points:
    stride = -(-len(x) // MOST_POINTS)
    # Of each stride the greatest: a peak must not get lost.
    if stride > 1:
        y = [max(y[place : place + stride]) for place in range(0, len(y), stride)]
        x = x[::stride]
    last = len(x) - 1
    kept = [place for place in range(len(x)) if place in (0, last) or y[place] != y[place - 1]]
    return [x[place] for place in kept], [y[place] for place in kept]


def balance(view: View) -> Figure | None:
    """How evenly the processes of a pool served, busiest first; 1 is an even share."""
    data, rows, attributes = [], [], []
    for group in view.groups:
        shares = [found for row in group.good if (found := worker_shares(exit_workers(view.results, row)))]
        ranks = max((len(one) for one in shares), default=0)
        if ranks < 2:
            continue
        of_rank = [[one[rank] for one in shares if len(one) > rank] for rank in range(ranks)]
        middle = [round(median(values), 3) for values in of_rank]
        drawn = traces.series_look(view, group)
        bar: traces.Trace = {
            "type": "bar",
            "name": group.series,
            "x": [str(rank + 1) for rank in range(ranks)],
            "y": middle,
            "marker": {"color": drawn.colour},
            "hovertemplate": f"%{{y:.2f}} even shares<extra>{group.series}, worker %{{x}}</extra>",
            "meta": traces.meta(group),
        }
        if len(shares) > 1:
            bar["error_y"] = {
                "color": INK,
                "type": "data",
                "symmetric": False,
                "array": [round(max(v) - m, 3) for v, m in zip(of_rank, middle, strict=True)],
                "arrayminus": [round(m - min(v), 3) for v, m in zip(of_rank, middle, strict=True)],
            }
        data.append(bar)
        cells = [axis_text(axis.name, group.when[axis.name]) for axis in view.axes]
        jain = median(fairness(one) for one in shares)
        told = ", ".join(f"{value:.2f}" for value in middle)
        rows.append([group.series, *cells, told, f"{jain:.3f}", len(shares)])
        attributes.append({"data-model": group.series})
    if not data:
        return None
    layout = {
        "barmode": "group",
        "xaxis": {"type": "category", "showgrid": False, "title": {"text": "worker process, busiest first"}},
        "yaxis": {"title": {"text": "requests served, in even shares"}, "rangemode": "tozero"},
        "shapes": [
            {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"dash": "dot", "width": 1}}
        ],
    }
    repeated = any("error_y" in bar for bar in data)
    spread = (
        "Bars are medians over trials, the thin lines the whole range of the trials."
        if repeated
        else "No intervals: 1 trial a bar shows no spread."
    )
    caption = (
        "Requests that each worker process of a pool served over its life, warm-up included, by an even share: at the "
        f"dotted line all served alike. {spread} Counts say nothing of how long the requests took. Models without "
        "worker processes have none to show."
    )
    columns = [("model", False), *((axis.title, False) for axis in view.axes)]
    columns += [("even shares, busiest first", False), ("Jain's index (1 is even)", True), ("trials", True)]
    numbers = table(heads(columns), rows, range(len(columns) - 2, len(columns)), attributes)
    return Figure("balance", "Balance of the workers", caption, {"data": data, "layout": layout}, str(numbers))


def worker_shares(workers: list[dict[str, Any]]) -> list[float]:
    """What each worker served in even shares, busiest first; nothing where nothing was served."""
    served = sorted((int(one.get("served") or 0) for one in workers), reverse=True)
    total = sum(served)
    return [count * len(served) / total for count in served] if total else []


def fairness(shares: list[float]) -> float:
    """Jain's index: 1 when all are equal, 1/n when one has it all (Jain, Chiu, Hawe 1984)."""
    return sum(shares) ** 2 / (len(shares) * sum(one**2 for one in shares))
