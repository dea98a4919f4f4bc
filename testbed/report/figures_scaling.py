"""The figures of several boxes: over the number of replicas, how the load was spread, and which box was full. Pure."""

from statistics import median
from typing import Any

from testbed.report import setups, standing, traces
from testbed.report.colours import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, VERMILLION, Look
from testbed.report.figures import CAPACITY, THROUGHPUT
from testbed.report.figures_server import worker_shares
from testbed.report.html import heads, table
from testbed.report.page import Figure
from testbed.report.source import Row
from testbed.report.timeline import is_transient
from testbed.report.traces import Quantity, Trace
from testbed.report.view import Group, View
from testbed.results.boxes import boxes, servers

P99 = Quantity("latency_p99_us", "p99 latency", "ms", 1 / 1e3)
# Where there is one model its colour tells nothing: then what stands before it has one.
_LOOKS = (
    Look(BLUE, "circle", "solid"),
    Look(VERMILLION, "square", "dash"),
    Look(GREEN, "diamond", "dot"),
    Look(PURPLE, "triangle-up", "dashdot"),
    Look(ORANGE, "triangle-down", "longdash"),
    Look(SKY, "star", "longdashdot"),
    Look(INK, "hexagon", "solid"),
    Look(GREY, "cross", "dash"),
)


def over_replicas(view: View) -> list[Figure]:
    """Throughput and p99 against the number of replicas, where that was varied."""
    still = [group for group in view.groups if not is_transient(group.rows[0])]
    groups = [group for group in still if group.rows[0].get("replicas") is not None]
    if len({group.rows[0].get("replicas") for group in groups}) < 2:
        return []
    rate = CAPACITY if view.results.is_search else THROUGHPUT
    words = {
        rate: "Requests served by all replicas together.",
        P99: "The p99 latency of all replies, whichever replica sent them.",
    }
    found = [
        _over_replicas(view, groups, "replicas-throughput", f"{rate.heading.capitalize()} by replicas", rate, words),
        _over_replicas(view, groups, "replicas-p99", "p99 latency by replicas", P99, words),
    ]
    return [one for one in found if one is not None]


def _over_replicas(
    view: View, groups: list[Group], name: str, title: str, quantity: Quantity, words: dict[Quantity, str]
) -> Figure | None:
    groups = [group for group in groups if group.values(quantity.column)]
    if not groups:
        return None
    left = setups.not_chosen(view)
    lines: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        chosen = tuple(value for axis, value in group.when.items() if axis not in left)
        lines.setdefault((group.series, label(view, group, ("replicas",)), chosen), []).append(group)
    data: list[Trace] = []
    for (series, told, _), mine in lines.items():
        mine.sort(key=lambda group: group.rows[0]["replicas"])
        x = [group.rows[0]["replicas"] for group in mine]
        line = traces.line(view, mine, x, quantity, left)
        data.append(_looking(line, look(view, series, told), named(view, series, told), quantity))
    counts = sorted({group.rows[0]["replicas"] for group in groups})
    layout = {
        "xaxis": {"title": {"text": "replicas"}, "tickvals": counts, "ticktext": [f"{count:g}" for count in counts]},
        "yaxis": {"title": {"text": quantity.title}, "rangemode": "tozero"},
        "hovermode": "closest",
    }
    split = {str(group.rows[0].get("replica_cpus")) for group in groups if group.rows[0]["replicas"] > 1}
    share = {
        frozenset({"split"}): " The CPU limit is shared out: more replicas have less each.",
        frozenset({"each"}): " Every replica has the whole CPU limit: more replicas have more together.",
    }.get(frozenset(split), "")
    caption = f"{words[quantity]}{share} {traces.bars_words(view)}"
    return Figure(name, title, caption, {"data": data, "layout": layout}, str(traces.numbers(view, groups, [quantity])))


def label(view: View, group: Group, without: tuple[str, ...] = ()) -> str:
    """By what a line or bar differs from others of its model."""
    shown = set(setups.shown_at_once(view)) - set(without)
    return setups.in_words(view, group.rows[0], [name for name in setups.varied(view) if name not in shown])


def named(view: View, series: str, told: str) -> str:
    """In a legend: the model only where there are several."""
    parts = [series] if len(view.series) > 1 or not told else []
    return ", ".join([*parts, *([told] if told else [])])


def look(view: View, series: str, told: str) -> Look:
    """The same for the same words in every figure of a page."""
    if len(view.series) == 1:
        known = list(dict.fromkeys(label(view, group, ("replicas",)) for group in view.groups))
        return _LOOKS[(known.index(told) if told in known else 0) % len(_LOOKS)]
    base = traces.series_look(view, next(group for group in view.groups if group.series == series))
    known = list(dict.fromkeys(label(view, group, ("replicas",)) for group in view.groups if group.series == series))
    place = known.index(told) if told in known else 0
    return Look(base.colour, _LOOKS[place % len(_LOOKS)].symbol, _LOOKS[place % len(_LOOKS)].dash)


def _looking(line: Trace, drawn: Look, name: str, quantity: Quantity) -> Trace:
    symbols = [drawn.symbol + ("-open" if one.endswith("-open") else "") for one in line["marker"]["symbol"]]
    line |= {"name": name, "legendgroup": name}
    line["line"] = {"color": drawn.colour, "dash": drawn.dash, "width": 2}
    line["marker"] = line["marker"] | {"color": drawn.colour, "symbol": symbols}
    line["hovertemplate"] = f"%{{x}} replicas: %{{y:,}} {quantity.unit}<extra>{name}, median</extra>"
    if "error_y" in line:
        line["error_y"] = line["error_y"] | {"color": drawn.colour}
    return line


def spread(view: View) -> Figure | None:
    """What each replica served, busiest first."""
    left = setups.not_chosen(view)
    data, rows, attributes = [], [], []
    known: list[str] = []
    for group in sorted(view.groups, key=standing.plainness):
        found = [one for row in group.good if (one := shares(view, row))]
        ranks = max((len(one) for one in found), default=0)
        if ranks < 2:
            continue
        told = label(view, group)
        name = named(view, group.series, told)
        middle = [round(median(one[rank] for one in found if len(one) > rank), 3) for rank in range(ranks)]
        known += [name] if name not in known else []
        place = known.index(name)
        drawn = _LOOKS[place % len(_LOOKS)] if len(view.series) == 1 else traces.series_look(view, group)
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": [str(rank + 1) for rank in range(ranks)],
                "y": middle,
                "marker": {"color": drawn.colour, "pattern": {"shape": _PATTERNS[place % len(_PATTERNS)]}},
                "hovertemplate": f"%{{y:.2f}} even shares<extra>{name}, replica %{{x}}</extra>",
                "meta": traces.meta(group, left),
            }
        )
        counts = ", ".join(f"{value:.2f}" for value in middle)
        rows.append([name, ranks, counts, f"{max(middle):.2f}", _connections(view, group), len(found)])
        attributes.append({"data-model": group.series})
    if not data:
        return None
    dotted = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": {"dash": "dot", "width": 1}}
    layout = {
        "barmode": "group",
        "xaxis": {"type": "category", "showgrid": False, "title": {"text": "replica, busiest first"}},
        "yaxis": {"title": {"text": "requests served, in even shares"}, "rangemode": "tozero"},
        "shapes": [dotted],
    }
    caption = (
        "Requests that each replica served over its life, warm-up included, by an even share: at the dotted line all "
        f"served alike. {_uneven(rows)} Bars are medians over trials. Trials in which replicas came or went are left "
        "out: theirs served for unlike times."
    )
    names = ("system", "replicas", "even shares, busiest first", "imbalance (busiest / mean)", "connections", "trials")
    numbers = table(heads([(one, place in (1, 3, 5)) for place, one in enumerate(names)]), rows, (1, 3, 5), attributes)
    return Figure("replica-load", "Load per replica", caption, {"data": data, "layout": layout}, str(numbers))


_PATTERNS = ("", "/", ".", "x", "\\", "+", "-", "|")


def _uneven(rows: list[list[Any]]) -> str:
    """The most uneven in words, which a reader would look for."""
    worst = max(rows, key=lambda row: float(row[3]))
    if float(worst[3]) < 1.05:
        return "All were spread evenly: no busiest replica served 5 % more than the mean."
    all_of_it = ", nearly all of it" if float(worst[3]) > 0.95 * worst[1] else ""
    return f"Least even was {worst[0]}: its busiest replica served {worst[3]} times the mean{all_of_it}."


def shares(view: View, row: Row) -> list[float]:
    """What each replica served in even shares, busiest first; nothing of one alone, where one's count is not known, and
    where one came or went."""
    there = _replicas(view, row)
    if len(there) < 2 or any(box.get("served") is None for box in there):
        return []
    return worker_shares(there)


def _replicas(view: View, row: Row) -> list[dict[str, Any]]:
    found = servers(view.results.file(row["trial_id"], "trial.json") or {})
    return [] if any(box.get("joined") or box.get("removed") or box.get("ended") for box in found) else found


def _connections(view: View, group: Group) -> str:
    """That each replica took, of the first trial that knows: one is enough to see how they were spread."""
    for row in group.good:
        there = _replicas(view, row)
        counts = [int(box["connections"]) for box in there if box.get("connections") is not None]
        if counts and len(counts) == len(there):
            return ", ".join(f"{count:,}" for count in sorted(counts, reverse=True))
    return "not known"


def cpu_of_boxes(view: View) -> Figure | None:
    """What every box used of its CPU limit: which was full."""
    data, rows, attributes = [], [], []
    several = False
    for group in view.groups:
        names, used = _used(view, group)
        if not names:
            continue
        several = several or sum(not name.startswith("load worker") for name in names) > 1
        told = group.series
        drawn = traces.series_look(view, group)
        percents = [round(100 * median(used[name][0]), 1) for name in names]
        limits = [f"{median(used[name][1]):.3g} of {used[name][2]:g} CPU" for name in names]
        reason = next((str(row["reasons"]) for row in group.good), "")
        data.append(
            {
                "type": "bar",
                "name": told,
                "x": names,
                "y": percents,
                "text": [f"{value:.0f}" for value in percents],
                "textposition": "auto",
                "customdata": limits,
                "marker": {"color": drawn.colour},
                "hovertemplate": f"%{{customdata}}, %{{y:.0f}} %<extra>{told}, %{{x}}</extra>",
                "meta": traces.meta(group),
            }
        )
        shown = ", ".join(f"{name} {limit}" for name, limit in zip(names, limits, strict=True))
        verdicts = [str(row["verdict"]) for row in group.rows]
        counted = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in dict.fromkeys(verdicts))
        rows.append([setups.told(view, group), shown, counted, reason])
        attributes.append({"data-model": group.series})
    if not several:
        return None
    layout = {
        "barmode": "group",
        "xaxis": {"type": "category", "showgrid": False},
        "yaxis": {"title": {"text": "CPU used (% of its limit)"}, "rangemode": "tozero"},
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 100, "y1": 100, "line": {"dash": "dot"}}],
    }
    caption = (
        "CPU time of each box in the window by what its limit allows: the one near the dotted line is full, and the "
        "others wait for it. Of a load worker without a limit, of one processor, which is all that it can use. Bars "
        "are medians over the valid trials; the table has the verdicts with their reason. Trials in which limits or "
        "replicas changed are left out: see their timelines."
    )
    columns = ("system", "CPU used, by box", "verdicts", "reason of the first valid trial")
    numbers = table(heads([(one, False) for one in columns]), rows, (), attributes)
    return Figure("boxes", "CPU of every box", caption, {"data": data, "layout": layout}, str(numbers))


Used = dict[str, tuple[list[float], list[float], float]]
"""By box: shares of the limit and CPUs used, a value for each trial, and the limit."""


def _used(view: View, group: Group) -> tuple[list[str], Used]:
    found: Used = {}
    for row in group.good:
        record = view.results.file(row["trial_id"], "trial.json") or {}
        if record.get("actions"):
            continue
        numbers: dict[str, int] = {}
        for box in boxes(record):
            role = str(box.get("role"))
            numbers[role] = numbers.get(role, 0) + 1
            name = _called(role, str(box.get("name")), numbers[role], str(row.get("front")))
            limit = box.get("cpu_limit") or (1.0 if role == "load worker" else None)
            window = box.get("window_s") or row.get("window_s")
            if box.get("cpu_used_s") is None or not limit or not window:
                continue
            shares, used, _ = found.setdefault(name, ([], [], float(limit)))
            shares.append(box["cpu_used_s"] / window / limit)
            used.append(box["cpu_used_s"] / window)
    order = {"replica": 0, "front": 1, "load": 2}
    return sorted(found, key=lambda name: (order.get(name.split()[0], 3), len(name), name)), found


def _called(role: str, name: str, number: int, front: str) -> str:
    if role == "front":
        return f"front ({front})"
    if role in ("store", "broker", "consumer"):
        return name
    return f"replica {number}" if role == "server" else f"{role} {number}"
