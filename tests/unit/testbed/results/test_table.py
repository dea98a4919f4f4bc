"""The tables show medians over valid trials and the verdicts behind them; an invalid trial never becomes a number."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from testbed.judge.verdict import Kind
from testbed.plan import cells, trials
from testbed.plan.search import Capacity
from testbed.plan.steps import Answer
from testbed.plan.sweepfile import Machine, parse
from testbed.plan.trials import Trial
from testbed.results.table import (
    LETTERS,
    capacity_table,
    fitting_table,
    legend,
    results_table,
    telling_fields,
    throttled_percent,
    verdict_letters,
)
from tests.unit.testbed.rows import row

CELLS = cells.cells(
    parse("name: a\nmodels: [prefork-event-loop, spst]\nlimits: {cpus: [0.25, 1]}\n", Path("a.yaml"), Machine(2, 2**33))
)


def text_of(table: Table, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def shown(rows: list[dict[str, Any]], width: int = 80) -> str:
    return text_of(results_table("title", CELLS, rows), width)


def test_it_fits_80_columns_with_every_figure_whole() -> None:
    text = shown([row(cell, users_starved=7, failed=3) for cell in CELLS])
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for figure in ("1,500", "950us", "12.3ms", "2.34", "25%", "14.2", " 7 ", " 3 "):
        assert text.count(figure) == 4, figure


def test_repeats_are_shown_as_their_median_with_its_spread() -> None:
    text = shown([row(CELLS[0], block=block, throughput_rps=rate) for block, rate in enumerate((100.0, 300.0, 500.0))])
    assert "300" in text
    assert "67%" in text
    assert "500" not in text


def test_stale_reads_have_a_column_where_there_could_be_any() -> None:
    assert "stale" not in shown([row(CELLS[0])])
    text = shown([row(CELLS[0], block=block, stale_share=share) for block, share in enumerate((0.0, 0.0123, 0.5))])
    assert "stale" in text
    assert " 1.23 " in text


def test_an_invalid_trial_gives_no_number_and_is_not_dropped() -> None:
    text = shown([row(CELLS[0], verdict="invalid", throughput_rps=123.0)])
    assert "123" not in text
    assert "!" in text


def test_a_canary_does_not_count_as_a_repeat_of_its_cell() -> None:
    assert "9,000" not in shown([row(CELLS[0], throughput_rps=9000.0, canary=True)])


def test_every_verdict_of_a_cell_is_shown() -> None:
    kinds = (*get_args(Kind), "server-bound")
    letters = verdict_letters([row(CELLS[0], verdict=kind) for kind in kinds])
    assert sorted(letters) == ["!", "B", "C", "F", "S", "S", "n", "t"]


def test_the_legend_has_the_letters_that_are_there() -> None:
    (usual,) = legend({"server-bound", "invalid"})
    assert usual.startswith("verdict: S server-bound")
    every = legend(get_args(Kind), disturbed=True)
    assert [line.split()[0] for line in every] == ["verdict:", "F", "B", "t", "*"]
    told = " ".join(every)
    assert all(f"{letter} {kind}" in told.replace("not saturated", "not-saturated") for kind, letter in LETTERS.items())
    assert max(map(len, every)) <= 108


def test_imbalance_is_shown_where_there_are_several_replicas() -> None:
    several = [replace(CELLS[0], replicas=count, front="dns") for count in (1, 2)]
    rows = [row(several[0], imbalance=None), row(several[1], imbalance=1.25)]
    text = text_of(results_table("title", several, rows))
    assert "max/" in text
    for figure in ("1,500", "950us", "12.3ms", "2.34", "25%", "14.2"):
        assert text.count(figure) == 2, figure
    assert "1.25" in text
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "max/" not in shown([row(cell) for cell in CELLS])


def test_throttled_share_is_unknown_without_counters_and_zero_without_periods() -> None:
    assert throttled_percent([{"periods": None, "throttled_periods": None}]) is None
    assert throttled_percent([{"periods": 0, "throttled_periods": 0}]) == 0
    assert throttled_percent([{"periods": 10, "throttled_periods": 10}, {"periods": 30, "throttled_periods": 0}]) == 25


def test_a_search_without_an_answer_is_shown_and_gives_no_number() -> None:
    cell = replace(CELLS[0], mode="capacity")
    lost = Capacity(None, None, 2, confirmed=False, invalid=3, reason="3 invalid trials in a row")
    some = [
        Answer(Trial("a", 1, cell), 50_000, Capacity(800.0, 860.0, 9, confirmed=True), client_bound=False),
        Answer(Trial("b", 2, cell), 50_000, lost, client_bound=False),
    ]
    text = text_of(capacity_table("title", some))
    assert "not answered in 1 of 2 blocks" in text
    assert " 800 " in text
    (line,) = [one for one in text_of(capacity_table("title", some[1:])).splitlines() if "prefork" in one]
    assert line.split()[2:] == ["-", "-", "5", "not", "answered"]


def test_the_blocks_of_a_share_are_one_line_with_the_median_of_their_rates() -> None:
    sweep = parse(
        "name: a\nmodels: [spst, spmt]\nrepeat: 3\nload: {mode: relative, slo: {p99: 50ms}, at: [0.5, 0.9]}\n",
        Path("a.yaml"),
        Machine(2, 2**33),
    )
    rows = [
        row(replace(trial.cell, rate_rps=share * rate, share=share), block=trial.block, throughput_rps=share * rate)
        for trial, rate in zip(trials.trials(sweep), (700.0, 710.0, 720.0, 730.0, 740.0, 750.0), strict=True)
        for share in (0.9, 0.5)
    ]
    measured = cells.measured_cells(sweep, rows)
    assert [(cell.model, cell.share, cell.rate_rps) for cell in measured] == [
        ("spst", 0.5, None),
        ("spst", 0.9, None),
        ("spmt", 0.5, None),
        ("spmt", 0.9, None),
    ]
    lines = [line for line in text_of(results_table("title", measured, rows)).splitlines() if "%" in line]
    assert [line.split()[2] for line in lines] == ["50%", "90%", "50%", "90%"]
    assert all("SSS" in line for line in lines)
    mine = sorted(one["rate_rps"] for one in rows if one["model"] == "spst" and one["share"] == 0.5)
    assert lines[0].split()[3] == f"{mine[1]:,.4g}"


def test_a_capacity_says_when_it_is_the_generators_or_unconfirmed() -> None:
    cell = replace(CELLS[0], mode="capacity")
    answers = [
        Answer(Trial("a", 1, cell), 50_000, Capacity(800.0, 860.0, 9, confirmed=True), client_bound=False),
        Answer(
            Trial("b", 1, replace(cell, cpus=1.0)),
            50_000,
            Capacity(900.0, None, 30, confirmed=False),
            client_bound=True,
        ),
    ]
    lines = text_of(capacity_table("title", answers)).splitlines()
    (first,) = (line for line in lines if "800" in line)
    (second,) = (line for line in lines if "900" in line)
    assert "860" in first
    assert "generator" not in first
    assert "at least 900" in second
    assert "unconfirmed, generator-limited" in second


BALANCED = cells.cells(
    parse(
        "name: a\nmodels: [thread-pool]\nreplicas: {count: 3}\nfront: {kind: [dns, nginx, haproxy], cpus: 0.4}\n"
        "workload: {connection: [persistent, per-request]}\nload: {dns: each}\n",
        Path("a.yaml"),
        Machine(4, 2**33),
    )
)


def test_what_follows_from_another_column_has_none() -> None:
    """A front's limit, balance and queue are the same wherever it is."""
    assert telling_fields(BALANCED) == ["model", "cpus", "connection", "front"]


def test_profiles_are_told_by_themselves_and_not_by_their_means() -> None:
    source = "name: a\nmodels: [spmt]\nduration: 9s\nload: {mode: open, profile: [5-9x9s, 6x9s]}\n"
    assert telling_fields(cells.cells(parse(source, Path("a.yaml"), Machine(4, 2**33)))) == ["model", "cpus", "profile"]


def test_where_a_terminal_has_no_room_figures_stay_whole() -> None:
    rows = [row(cell, users_starved=7, failed=3, block=block) for cell in BALANCED for block in range(4)]
    for width, whole in ((80, False), (120, True)):
        console = Console(width=width, file=io.StringIO(), color_system=None)
        text = text_of(fitting_table("title", BALANCED, rows, console), width)
        assert "…" not in text
        assert text.count("1,500") == text.count("12.3ms") == 6
        assert ("peak" in text) is whole


def test_long_words_go_on_below_and_figures_do_not() -> None:
    law = "{change: replicas, on: cpu, target: 0.6, min: 1, max: 3, every: 2s, down_after: 6s}"
    source = f"name: a\nmodels: [spmt]\nfront: haproxy\nscaling: [none, {law}]\nload: {{mode: open, rate: 9}}\n"
    scaled = cells.cells(parse(source, Path("a.yaml"), Machine(4, 2**33)))
    text = text_of(results_table("title", scaled, [row(cell) for cell in scaled]))
    assert "…" not in text
    assert text.count("1,500") == 2
