"""The tables at the end of a sweep: one line per cell, medians over the blocks, with the verdicts behind them."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from testbed.plan.axes import BY_FIELD
from testbed.plan.cell import Cell
from testbed.plan.cells import varying_fields
from testbed.plan.redo import counted
from testbed.plan.steps import Answer
from testbed.results.searches import cell_of_search, pooled
from testbed.results.summary import cell_of, relative_half_width
from testbed.statistics import median_interval
from testbed.units import format_us

Rows = list[dict[str, Any]]

# One letter a trial, so that a line of the table has room for the verdicts of all its repeats.
LETTERS = {
    "server-bound": "S",
    "front-bound": "F",
    "backend-bound": "B",
    "not-saturated": "n",
    "client-bound": "C",
    "transient": "t",
    "invalid": "!",
}
# A column whose values are no longer than this is never broken.
_WORD = 14
# To measure what a table would like to have.
_UNBOUNDED = 10_000
# Every line says of what it is.
_ALWAYS = ("model", "cpus")
_LEGEND = "verdict: S server-bound (counts as capacity), n not saturated, C client-bound, ! invalid (gives no number)"

# Of verdicts that most sweeps cannot come to, told where they do.
_LEGENDS = {
    "front-bound": "F front-bound: what stands before the servers was full, so this is no capacity of theirs",
    "backend-bound": "B backend-bound: what stands behind the servers was full, so this is no capacity of theirs",
    "transient": "t transient: load, limits or replicas were to change, so this is a mean over that and no capacity",
}
_LEGEND_DISTURBED = "* disturbed: others on the hypervisor took more of the processors than a measurement bears"


def legend(verdicts: Collection[str], disturbed: bool = False) -> list[str]:
    """What the letters of these verdicts mean, in lines; `disturbed`: and the mark of trials that were."""
    told = [line for kind, line in _LEGENDS.items() if kind in verdicts]
    return [_LEGEND, *told, *([_LEGEND_DISTURBED] if disturbed else [])]


def new_table(title: str) -> Table:
    """An empty table as all of ours look."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=0)


def add_cell_columns(table: Table, names: list[str], cells: list[Cell]) -> None:
    """A column for each of these fields of a cell. Where a terminal has no room, words go on below, figures never."""
    for name in names:
        axis = BY_FIELD[name]
        longest = max((len(axis.shown(getattr(cell, name))) for cell in cells), default=0)
        table.add_column(axis.heading or name, justify="left" if axis.left else "right", no_wrap=longest <= _WORD)


def telling_fields(cells: list[Cell]) -> list[str]:
    """The names of the cell fields that tell these cells apart: of those that vary, none that follows from another one
    alone, such as a front's CPU limit where it has one value for each front. A profile goes before its mean."""
    names = varying_fields(cells)
    if "profile" in names and _follows(cells, "rate_rps", "profile"):
        names = [name for name in names if name != "rate_rps"]
    return [
        name
        for place, name in enumerate(names)
        if name in _ALWAYS or not any(_follows(cells, name, other) for other in names[:place])
    ]


def _follows(cells: list[Cell], name: str, other: str) -> bool:
    if other in _ALWAYS:
        return False
    pairs = {(getattr(cell, other), getattr(cell, name)) for cell in cells}
    return len(pairs) == len({one for one, _ in pairs})


def cell_texts(cell: Cell, names: list[str]) -> list[str]:
    """What a cell shows in those columns."""
    return [BY_FIELD[name].shown(getattr(cell, name)) for name in names]


def _median(rows: Rows, name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return median(values) if values else None


def throttled_percent(rows: Rows) -> float | None:
    """The share of quota periods in which the server was stopped, in percent; 0 when no period had to be counted."""
    known = [row for row in rows if row.get("periods") is not None and row.get("throttled_periods") is not None]
    if not known:
        return None
    periods = sum(row["periods"] for row in known)
    return 100 * sum(row["throttled_periods"] for row in known) / periods if periods else 0.0


def _show(value: float | None, shape: Callable[[float], str]) -> str:
    return "-" if value is None else shape(value)


def _spread(rows: Rows) -> str:
    """Half the width of the median throughput's interval, in percent of it."""
    values = [row["throughput_rps"] for row in rows if row["throughput_rps"] is not None]
    width = relative_half_width(median_interval(values)) if values else None
    return _show(width, lambda part: f"{100 * part:.0f}%")


def verdict_letters(rows: Rows) -> str:
    """`S` for one trial, `SSn` and so on for more, most frequent first; `S*` for one that was disturbed."""
    marks = Counter(LETTERS[row["verdict"]] + "*" * bool(row.get("disturbed")) for row in rows)
    return "".join(mark * count for mark, count in marks.most_common())


def fitting_table(title: str, cells: list[Cell], rows: Rows, console: Console) -> Table:
    """The table of results with all columns that this terminal has room for."""
    whole = results_table(title, cells, rows)
    unbounded = console.options.update(width=_UNBOUNDED, max_width=_UNBOUNDED)
    fits = Measurement.get(console, unbounded, whole).minimum <= console.width
    return whole if fits else results_table(title, cells, rows, spare=True)


def results_table(title: str, cells: list[Cell], rows: Rows, spare: bool = False) -> Table:
    """One line per cell in the plan's order; `rows` are trials.csv's. A cell without a valid trial shows dashes.

    `spare`: without what says how the CPU limit and the memory were used, which the report shows.
    """
    names = telling_fields(cells)
    table = new_table(title)
    add_cell_columns(table, names, cells)
    repeated = len({row["block"] for row in rows}) > 1
    # Starved users are rare, and the table is for a terminal of 80.
    troubles = [*(["users_starved"] if any(row["users_starved"] for row in rows) else []), "failed"]
    # What the shares of a search came to: the rates of its blocks differ.
    shares = any(cell.share is not None for cell in cells)
    if shares:
        table.add_column("rate", justify="right")
    # Of what the replicas served: with one there is nothing to be unlike.
    several = not spare and any(cell.replicas > 1 for cell in cells)
    uses = [] if spare else ["CPU\ns", "throt-\ntled", "peak\nMiB"]
    headings = ["req/s", *(["±"] if repeated else []), "p50", "p99", *uses]
    headings += ["max/\nmean"] if several else []
    # Of what stands behind the servers: only where values were written that could be read too early.
    judged = any(row.get("stale_share") is not None for row in rows)
    headings += ["stale\n%"] if judged else []
    # Of a cache before the servers.
    hits = any(row.get("edge_hit_ratio") for row in rows)
    headings += ["hits\n%"] if hits else []
    # Of a gateway that let no more through.
    limited = any(row.get("limited") for row in rows)
    headings += ["limi-\nted %"] if limited else []
    for heading in [*headings, *({"users_starved": "starv-\ned", "failed": "er-\nrors"}[name] for name in troubles)]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ver-\ndict", no_wrap=True)
    previous = None
    for cell in cells:
        key = cell_of(asdict(cell))
        mine = counted([row for row in rows if cell_of(row) == key and not row["canary"]])
        good = [row for row in mine if row["verdict"] != "invalid"]
        if previous not in (None, cell.model):
            table.add_section()
        previous = cell.model
        letters = verdict_letters(mine)
        table.add_row(
            *cell_texts(cell, names),
            *([_show(_median(good, "rate_rps"), lambda n: f"{n:,.4g}")] if shares else []),
            _show(_median(good, "throughput_rps"), lambda n: f"{n:,.0f}"),
            *([_spread(good)] if repeated else []),
            _show(_median(good, "latency_p50_us"), format_us),
            _show(_median(good, "latency_p99_us"), format_us),
            *([] if spare else _uses(good)),
            *([_show(_median(good, "imbalance"), lambda n: f"{n:.2f}")] if several else []),
            *([_show(_median(good, "stale_share"), lambda n: f"{100 * n:.3g}")] if judged else []),
            *([_show(_median(good, "edge_hit_ratio"), lambda n: f"{100 * n:.3g}")] if hits else []),
            *([_show(_median(good, "limited_share"), lambda n: f"{100 * n:.3g}")] if limited else []),
            *(_show(_median(good, name), lambda n: f"{n:.0f}") for name in troubles),
            f"[red]{letters}[/]" if "!" in letters else letters,
        )
    return table


def _uses(rows: Rows) -> list[str]:
    return [
        _show(_median(rows, "cpu_used_s"), lambda n: f"{n:.2f}"),
        _show(throttled_percent(rows), lambda n: f"{n:.0f}%"),
        _show(_median(rows, "memory_peak_bytes"), lambda n: f"{n / 2**20:.1f}"),
    ]


def capacity_table(title: str, answers: list[Answer]) -> Table:
    """One line per cell: the median over the answered blocks of the highest rate that held, and of the next that did
    not. A search without an answer gives no number."""
    every = pooled([answer.row() for answer in answers])
    cells = [found.cell for found in every]
    names = telling_fields(cells)
    table = new_table(title)
    add_cell_columns(table, names, cells)
    for heading in ("holds\nreq/s", "fails\nreq/s", "trials"):
        table.add_column(heading, justify="right")
    table.add_column("note")
    for found in every:
        mine = [one.capacity for one in answers if cell_of_search(one.row()) == found.cell]
        count = len(found.reasons)
        of_blocks = f" in {count} of {len(mine)} blocks" if len(mine) > 1 else ""
        notes = [f"not answered{of_blocks}"] if count else []
        notes += ["unconfirmed"] * (not found.confirmed)
        notes += ["generator-limited"] * found.client_bound
        table.add_row(
            *cell_texts(found.cell, names),
            found.text(found.median),
            f"{median(found.fails_rps):,.4g}" if found.fails_rps else "-",
            str(sum(one.steps + one.invalid for one in mine)),
            ", ".join(notes),
        )
    return table
