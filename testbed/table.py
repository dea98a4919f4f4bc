"""The table at the end of a sweep: model x cpus, medians over the blocks."""

from collections.abc import Callable
from statistics import median
from typing import Any

from rich import box
from rich.table import Table

from testbed.plan import Cell, varying_fields
from testbed.units import format_bytes, format_us

# How the fields of a cell are headed and shown where they vary.
_FIELDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "model": ("model", str),
    "cpus": ("cpus", lambda value: f"{value:g}"),
    "memory_bytes": ("memory", format_bytes),
    "sleep_us": ("sleep", format_us),
    "spin_us": ("spin", format_us),
    "payload_bytes": ("payload", format_bytes),
    "connection": ("connection", str),
    "think_us": ("think", format_us),
    "users": ("users", str),
}

Rows = list[dict[str, Any]]


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


def results_table(title: str, cells: list[Cell], rows: Rows) -> Table:
    """One line per cell in the plan's order; `rows` are trials.csv's. A cell without a good trial shows dashes."""
    varying = varying_fields(cells)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in varying:
        table.add_column(_FIELDS[name][0], justify="left" if name in ("model", "connection") else "right", no_wrap=True)
    for heading in ("req/s", "p50", "p99", "CPU\ns", "throt-\ntled", "peak\nmemory", "users\nstarved", "errors"):
        table.add_column(heading, justify="right")
    previous = None
    for cell in cells:
        mine = [row for row in rows if all(row[name] == getattr(cell, name) for name in Cell.__annotations__)]
        good = [row for row in mine if row["status"] == "ok"]
        if previous not in (None, cell.model):
            table.add_section()
        previous = cell.model
        failed_trials = len(mine) - len(good)
        errors = "failed" if failed_trials else _show(_median(good, "failed"), lambda n: f"{n:.0f}")
        table.add_row(
            *(_FIELDS[name][1](getattr(cell, name)) for name in varying),
            _show(_median(good, "throughput_rps"), lambda n: f"{n:,.0f}"),
            _show(_median(good, "latency_p50_us"), format_us),
            _show(_median(good, "latency_p99_us"), format_us),
            _show(_median(good, "cpu_used_s"), lambda n: f"{n:.2f}"),
            _show(throttled_percent(good), lambda n: f"{n:.0f}%"),
            _show(_median(good, "memory_peak_bytes"), format_bytes),
            _show(_median(good, "users_starved"), lambda n: f"{n:.0f}"),
            f"[red]{errors}[/]" if failed_trials else errors,
        )
    return table
