"""The tree of processes and threads as rows: those that fit, the busiest first where not all do. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from testbed.watch.roles import role

Node = dict[str, Any]

_STATES = {
    "R": ("running", "bold green"),
    "S": ("sleeping", "dim"),
    "D": ("blocked", "yellow"),
    "T": ("stopped", "yellow"),
    "t": ("traced", "yellow"),
    "Z": ("zombie", "red"),
    "X": ("ended", "red"),
    "I": ("idle", "dim"),
}
# Title and width of what stands to the right of the tree.
_COLUMNS = (("STATE", 10), ("CPU", 6), ("RSS", 7), ("PSS", 7), ("VOL/S", 8), ("INVOL/S", 8))
_RIGHT = sum(width for _, width in _COLUMNS)


@dataclass(frozen=True)
class Row:
    """One process or thread. Bytes are None for threads, which share their process's memory."""

    branch: str
    number: int | None
    what: str
    state: str
    cpus: float | None
    rss_bytes: int | None
    pss_bytes: int | None
    voluntary_per_s: float | None
    involuntary_per_s: float | None


def rows(model: str, tree: Node, room: int | None, plain: bool) -> list[Row]:
    """At most `room` rows; None: all there are. What is left out is in rows that say how many."""
    processes = tree["processes"]
    all_fit = room is None or _height(processes) + bool(tree["more_processes"]["count"]) <= room
    if room is None or all_fit:
        return list(_rows(model, tree, processes, None, plain))
    # PID 1 and a row for the rest are always there; what is left goes to the busiest, with their threads where
    # those fit too.
    first = [process for process in processes if process["pid"] == 1]
    others = sorted((p for p in processes if p["pid"] != 1), key=lambda p: (-(p["cpus"] or 0.0), p["pid"]))
    left = max(1, room - len(first) - 1)
    has_threads = any(process["threads"] for process in processes)
    if not has_threads:
        kept = others[:left]
        return list(_rows(model, _without(tree, others[left:]), [*first, *kept], None, plain))
    # Each process with at least its two busiest threads and the row for its others.
    kept = others[: max(1, left // 4)] if others else []
    dropped = others[len(kept) :]
    owners = [p for p in (*first, *kept) if p["threads"]]
    for_threads = max(0, room - len(first) - len(kept) - bool(dropped or tree["more_processes"]["count"]))
    each = max(1, for_threads // max(1, len(owners)) - 1)
    return list(_rows(model, _without(tree, dropped), [*first, *kept], each, plain))[:room]


def _height(processes: Iterable[Node]) -> int:
    return sum(1 + len(p["threads"]) + bool(p["more_threads"]["count"]) for p in processes)


def _sum(values: Iterable[Any]) -> Any:
    """None as soon as one of them is not known: a part of a sum is no sum."""
    values = list(values)
    return None if None in values or not values else sum(values)


def _together(more: Node, nodes: list[Node]) -> Node:
    """What was summed up already and these nodes, summed up."""
    every = [*([more] if more["count"] else []), *nodes]
    names = ("cpus", "voluntary_per_s", "involuntary_per_s", "rss_bytes")
    return {
        "count": more["count"] + len(nodes),
        "running": more["running"] + sum(node["state"] == "R" for node in nodes),
        **{name: _sum(one.get(name) for one in every) for name in names},
    }


def _without(tree: Node, dropped: list[Node]) -> Node:
    return {**tree, "more_processes": _together(tree["more_processes"], dropped)}


def _rows(model: str, tree: Node, processes: list[Node], most_threads: int | None, plain: bool) -> Iterator[Row]:
    stem, fork, last, line = ("   ", "|- ", "`- ", "|  ") if plain else ("   ", "├─ ", "└─ ", "│  ")
    more = tree["more_processes"]
    children = [process for process in processes if process["pid"] != 1]
    for process in processes:
        is_first = process["pid"] == 1
        is_last = not more["count"] and (not children or process is children[-1])
        branch = "" if is_first else last if is_last else fork
        below = ("" if not children and not more["count"] else line) if is_first else stem if is_last else line
        threads, rest = process["threads"], process["more_threads"]
        if most_threads is not None and len(threads) > most_threads + 1:
            busiest = sorted(threads, key=lambda t: (t["tid"] != process["pid"], -(t["cpus"] or 0.0)))
            threads, rest = busiest[:most_threads], _together(rest, busiest[most_threads:])
        what = role(model, is_first, is_main_thread=True)
        alone = process["threads_count"] <= 1
        what = what if alone else f"{process['name'] or 'process'}, {process['threads_count']} threads"
        yield _row(branch, process, process["pid"], what, process["rss_bytes"], process["pss_bytes"])
        for thread in threads:
            ends = thread is threads[-1] and not rest["count"]
            is_main = thread["tid"] == process["pid"]
            text = role(model, is_first, is_main) or thread["name"]
            yield _row(below + (last if ends else fork), thread, thread["tid"], text)
        if rest["count"]:
            yield _row(below + last, rest, None, _more(rest, "threads"))
    if more["count"]:
        yield _row(last, more, None, _more(more, "processes"), more["rss_bytes"])


def _more(rest: Node, what: str) -> str:
    running = f", {rest['running']} running" if rest["running"] else ""
    return f"+ {rest['count']:,} {what if rest['count'] != 1 else what.removesuffix('es').removesuffix('s')}{running}"


def _row(branch: str, node: Node, number: int | None, what: str, rss: int | None = None, pss: int | None = None) -> Row:
    return Row(
        branch=branch,
        number=number,
        what=what,
        state=node.get("state", ""),
        cpus=node["cpus"],
        rss_bytes=rss,
        pss_bytes=pss,
        voluntary_per_s=node["voluntary_per_s"],
        involuntary_per_s=node["involuntary_per_s"],
    )


def columns(tree_rows: list[Row], tree: Node, width: int) -> Iterator[Text]:
    """The head of the table and its rows, `width` columns wide."""
    left = width - _RIGHT
    processes, threads = tree["processes_count"], tree["threads_count"]
    title = f"{processes:,} process{'' if processes == 1 else 'es'}, {threads:,} thread{'' if threads == 1 else 's'}"
    head = Text(f"{title:<{left}.{left}}", style="bold")
    for place, (name, size) in enumerate(_COLUMNS):
        head.append(f"  {name:<{size - 2}}" if place == 0 else f"{name:>{size}}", "dim not bold")
    yield head
    for row in tree_rows:
        yield _text(row, left)


def _text(row: Row, left: int) -> Text:
    state, style = _STATES.get(row.state, (row.state, ""))
    number = "" if row.number is None else f"{row.number} "
    text = Text(row.branch, style="")
    text.stylize("dim")
    text.append(number, "cyan").append(row.what)
    text.truncate(left, overflow="ellipsis", pad=True)
    text.append(f"  {state:<8}", style)
    busy = row.cpus or 0.0
    text.append(_cell(None if row.cpus is None else f"{row.cpus:.0%}", 6), "bold" if busy >= 0.1 else "")
    text.append(_cell(_mib(row.rss_bytes), 7)).append(_cell(_mib(row.pss_bytes), 7))
    text.append(_cell(_count(row.voluntary_per_s), 8)).append(_cell(_count(row.involuntary_per_s), 8))
    return text


def _cell(value: str | None, width: int) -> str:
    return f"{value or '':>{width}}"


def _mib(value: int | None) -> str | None:
    return None if value is None else f"{value / 2**20:.1f}M"


def _count(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}"
