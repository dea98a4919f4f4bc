"""The table at the end shows medians over good trials and never turns a failure into a number."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from testbed import plan
from testbed.plan import Cell
from testbed.sweepfile import Machine, parse
from testbed.table import results_table, throttled_percent

CELLS = plan.cells(
    parse("name: a\nmodels: [event-loop, spst]\nlimits: {cpus: [0.25, 1]}\n", Path("a.yaml"), Machine(2, 2**33))
)


def row(cell: Cell, **values: Any) -> dict[str, Any]:
    measured = {
        "status": "ok",
        "throughput_rps": 1500.0,
        "latency_p50_us": 950,
        "latency_p99_us": 12_300,
        "cpu_used_s": 2.34,
        "periods": 40,
        "throttled_periods": 10,
        "memory_peak_bytes": 14.2 * 2**20,
        "users_starved": 0,
        "failed": 0,
    }
    return {**vars(cell), **measured, **values}


def shown(rows: list[dict[str, Any]], width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(results_table("title", CELLS, rows))
    return capture.get()


def test_it_fits_80_columns_with_every_figure_whole() -> None:
    text = shown([row(cell) for cell in CELLS])
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for figure in ("1,500", "950us", "12.3ms", "2.34", "25%", "14.2MiB"):
        assert text.count(figure) == 4


def test_repeats_are_shown_as_their_median() -> None:
    text = shown([row(CELLS[0], throughput_rps=rate) for rate in (100.0, 300.0, 9000.0)])
    assert "300" in text
    assert "9,000" not in text


def test_a_failed_trial_gives_no_number() -> None:
    text = shown([row(CELLS[0], status="failed", throughput_rps=123.0)])
    assert "123" not in text
    assert "failed" in text


def test_throttled_share_is_unknown_without_counters_and_zero_without_periods() -> None:
    assert throttled_percent([{"periods": None, "throttled_periods": None}]) is None
    assert throttled_percent([{"periods": 0, "throttled_periods": 0}]) == 0
    assert throttled_percent([{"periods": 10, "throttled_periods": 10}, {"periods": 30, "throttled_periods": 0}]) == 25
