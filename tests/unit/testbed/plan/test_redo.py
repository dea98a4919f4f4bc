"""Disturbed trials measured again: which ones, in which order, and which of the two counts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from testbed.compare.join import join
from testbed.errors import UserError
from testbed.plan import redo, trials
from testbed.plan.cell import Cell
from testbed.plan.sweepfile import Machine, dump, parse
from testbed.plan.trials import Trial
from testbed.report import words
from testbed.report.facts import facts
from testbed.results import reading
from testbed.results.directory import csv_text
from testbed.results.listing import list_runs
from testbed.results.summary import good, summary
from testbed.results.table import results_table
from tests.commanded import commanded
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import text, view_of
from tests.unit.testbed.rows import row

MACHINE = Machine(2, 2**33)
TEXT = "name: a\nmodels: [spst, spmt]\nrepeat: 2\norder: {shuffle: false, canary: true, redo: disturbed}\n"
SWEEP = parse(TEXT, Path("a.yaml"), MACHINE)
TRIALS = trials.trials(SWEEP)
IDS = [trial.trial_id for trial in TRIALS]


def measured(trial: Trial, server: float | None, generator: float | None = 0.0, **values: Any) -> dict[str, Any]:
    known = server is not None and generator is not None
    shares = {"server_steal_share": server, "generator_steal_share": generator}
    disturbed = max(server or 0, generator or 0) > 0.01 if known else None
    about = {"trial_id": trial.trial_id, "block": trial.block, "canary": trial.canary, "disturbed": disturbed}
    about["redo_of"] = trial.redo_of
    return row(trial.cell, **shares | about | values)


def carried_out(wanted: bool, stolen: Callable[[Trial], float], rows: list[dict[str, Any]]) -> list[str]:
    """The ids in the order in which a sweep comes to them; those that `rows` has are not measured again."""
    there = {one["trial_id"] for one in rows}
    came = []
    for trial in redo.with_redos(TRIALS, rows, wanted):
        came.append(trial.trial_id)
        if trial.trial_id not in there:
            rows.append(measured(trial, stolen(trial)))
    return came


def test_a_block_ends_with_its_disturbed_trials_once_more() -> None:
    came = carried_out(True, lambda trial: 0.02 if trial.trial_id == IDS[1] else 0.0, [])
    assert came == [*IDS[:3], f"{IDS[1]}-redo", *IDS[3:]]


def test_a_redo_is_not_measured_again_whatever_it_met_and_a_canary_never() -> None:
    came = carried_out(True, lambda trial: 0.02, [])
    assert came == [*IDS[:3], f"{IDS[1]}-redo", f"{IDS[2]}-redo", *IDS[3:], f"{IDS[4]}-redo", f"{IDS[5]}-redo"]


def test_without_the_wish_nothing_is_measured_again() -> None:
    assert carried_out(False, lambda trial: 0.02, []) == IDS


def test_a_resumed_sweep_comes_to_the_same_trials_from_wherever_it_was_cut_off() -> None:
    whole: list[dict[str, Any]] = []
    order = carried_out(True, lambda trial: 0.02 if "spmt" in trial.trial_id else 0.0, whole)
    for count in range(len(whole) + 1):
        rest = whole[:count]
        again = carried_out(True, lambda trial: 0.02 if "spmt" in trial.trial_id else 0.0, rest)
        assert again == order
        assert [one["trial_id"] for one in rest] == order
        assert redo.owed(rest) == 0
    assert redo.owed(whole[:3]) == 1


FIRST = TRIALS[1]
AGAIN = redo.redo_of(FIRST)


@pytest.mark.parametrize(
    ("first", "again", "counts"),
    [
        ((0.02, 0.0), (0.0, 0.0), "again"),
        ((0.02, 0.0), (0.0, 0.03), "first"),
        ((0.03, 0.0), (0.0, 0.02), "again"),
        ((0.02, 0.0), (0.02, 0.0), "again"),
        ((0.02, 0.0), (None, None), "first"),
    ],
)
@pytest.mark.parametrize("results", [(100.0, 900.0), (900.0, 100.0)])
@pytest.mark.parametrize("verdict", ["server-bound", "invalid"])
def test_of_the_two_the_one_counts_that_less_was_stolen_from_whatever_they_gave(
    first: tuple[float, float],
    again: tuple[float | None, float | None],
    counts: str,
    results: tuple[float, float],
    verdict: str,
) -> None:
    rows = [
        measured(FIRST, *first, throughput_rps=results[0]),
        measured(AGAIN, *again, throughput_rps=results[1], verdict=verdict),
    ]
    expected = FIRST if counts == "first" else AGAIN
    for order in (rows, rows[::-1]):
        assert [one["trial_id"] for one in redo.counted(order)] == [expected.trial_id]


def test_trials_that_were_not_measured_again_count_disturbed_or_not() -> None:
    rows = [measured(FIRST, 0.02), measured(TRIALS[2], 0.0)]
    assert redo.counted(rows) == rows


def pair() -> list[dict[str, Any]]:
    return [measured(FIRST, 0.02, throughput_rps=100.0), measured(AGAIN, 0.0, throughput_rps=150.0)]


def test_summary_table_report_and_compare_leave_the_same_one_out(tmp_path: Path) -> None:
    assert [one["throughput_rps"] for one in good(pair())] == [150.0]
    found = summary(pair(), seed=1)
    assert found["cells"][0]["median"]["throughput_rps"]["estimate"] == 150.0
    assert (found["verdicts"], found["set_aside"]) == ({"server-bound": 1}, 1)
    assert (found["cells"][0]["trials"], found["cells"][0]["set_aside"]) == (1, 1)
    assert found["cells"][0]["verdicts"] == {"server-bound": 1}
    assert any("each was measured again" in line and FIRST.trial_id in line for line in found["warnings"])

    table = results_table("a", [FIRST.cell], pair())
    shown = {str(column.header): next(iter(column.cells)) for column in table.columns}
    assert shown["req/s"] == "150"
    assert shown["ver-\ndict"] == "S"

    (cell,) = join(pair(), pair()).cells
    assert {one.base for one in cell.comparisons if one.measure.column == "throughput_rps"} == {150.0}


def test_a_cell_is_not_compared_as_client_bound_for_a_trial_that_its_redo_replaced() -> None:
    again = [measured(FIRST, 0.02, verdict="client-bound"), measured(AGAIN, 0.0)]
    (cell,) = join(again, pair()).cells
    assert (cell.base_verdicts, cell.client_bound) == ({"server-bound": 1}, False)
    (cell,) = join(again[:1], pair()).cells
    assert (cell.base_verdicts, cell.client_bound) == ({"client-bound": 1}, True)


def test_an_invalid_trial_that_its_redo_replaced_is_no_invalid_one_of_the_sweep() -> None:
    rows = [measured(FIRST, 0.02, verdict="invalid"), measured(AGAIN, 0.0), measured(TRIALS[2], 0.0)]
    found = summary(rows, seed=1)
    assert (found["verdicts"], found["set_aside"]) == ({"server-bound": 2}, 1)
    assert not any("invalid" in line for line in found["warnings"])
    both = summary([rows[0], measured(AGAIN, 0.0, verdict="invalid"), rows[2]], seed=1)
    assert both["verdicts"] == {"invalid": 1, "server-bound": 1}
    assert any(line.startswith("1 of 2 trials are invalid") for line in both["warnings"])


def test_a_disturbed_trial_that_counts_is_marked_and_named() -> None:
    rows = pair()[:1]
    (line,) = (one for one in summary(rows, seed=1)["warnings"] if "disturbed" in one)
    assert FIRST.trial_id in line and "redo: disturbed" in line
    table = results_table("a", [FIRST.cell], rows)
    assert list(table.columns[-1].cells) == ["S*"]


def test_a_redo_that_was_disturbed_as_well_counts_and_is_said_to() -> None:
    rows = [measured(FIRST, 0.03), measured(AGAIN, 0.02)]
    (line,) = (one for one in summary(rows, seed=1)["warnings"] if "disturbed" in one)
    assert line.startswith("2 of 2 trials") and line.endswith("1 of them count all the same")


def test_a_listed_sweep_is_complete_only_with_the_redos_it_owes_and_counts_one_of_each_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def listed(**order: str) -> tuple[str, int, int]:
        def about(cell: Cell, block: int) -> dict[str, Any]:
            return {"disturbed": block == 1, "server_steal_share": 0.02, "generator_steal_share": 0.0}

        root = tmp_path / (order.get("redo") or "none")
        path = make_run(root / "run", {"limits": {"cpus": 1.0}, "models": ["spst"], "order": order}, measured=about)
        (one,) = list_runs(root, tmp_path / "lock")
        if one.state == "interrupted":
            first = next(trial for trial in sorted((path / "trials").iterdir()))
            again = path / "trials" / f"{first.name}-redo"
            again.mkdir()
            told = json.loads((first / "trial.json").read_text()) | {"trial_id": again.name, "redo_of": first.name}
            (again / "trial.json").write_text(json.dumps(told))
            (after,) = list_runs(root, tmp_path / "lock")
            assert after.verdicts == {"server-bound": 3}
            console = Console(width=120, no_color=True)
            commanded(console, "results", "--results", root)
            assert "3 (1 redone)" in capsys.readouterr().out
            return f"{one.state}, then {after.state}", after.trials, after.redone
        return one.state, one.trials, one.redone

    assert listed() == ("complete", 3, 0)
    assert listed(redo="disturbed") == ("interrupted, then complete", 3, 1)


@pytest.mark.parametrize("first_is_there", [True, False])
def test_a_redo_from_before_records_told_of_which_trial_is_known_by_the_plan(
    tmp_path: Path, first_is_there: bool
) -> None:
    path = make_run(tmp_path / "run", {"models": ["spst"], "limits": {"cpus": 1.0}, "repeat": 2})
    first, second = sorted((path / "trials").iterdir())
    for place, renamed in ((first, f"{first.name}-redo"), (first, first.name), (second, second.name)):
        told = json.loads((place / "trial.json").read_text()) | {"schema_version": 3, "trial_id": renamed}
        del told["redo_of"]
        (path / "trials" / renamed).mkdir(exist_ok=True)
        (path / "trials" / renamed / "trial.json").write_text(json.dumps(told))
    if not first_is_there:
        shutil.rmtree(first)
    rows = reading.read(path).rows
    known = {one["trial_id"]: one["redo_of"] for one in rows}
    expected = {first.name: None, f"{first.name}-redo": first.name, second.name: None}
    assert known == {name: of for name, of in expected.items() if first_is_there or name != first.name}
    (path / "trials.csv").write_text(csv_text(rows))
    shutil.rmtree(path / "trials")
    assert {one["trial_id"]: one["redo_of"] for one in reading.read(path).rows} == known


def test_the_report_counts_one_and_says_why_the_other_was_disturbed(tmp_path: Path) -> None:
    def about(cell: Cell, block: int) -> dict[str, Any]:
        stolen = {"server_steal_share": 0.02, "generator_steal_share": 0.0, "disturbed": True}
        return {**stolen, "throughput_rps": 100.0, "reasons": ["disturbed: stolen: 2.0% of the server's"]}

    path = make_run(tmp_path / "run", {"models": ["spst"], "limits": {"cpus": 1.0}, "repeat": 1}, measured=about)
    (trial,) = (path / "trials").iterdir()
    again = path / "trials" / f"{trial.name}-redo"
    again.mkdir()
    quiet = {"server_steal_share": 0.0, "disturbed": False, "throughput_rps": 150.0, "reasons": ["as it should be"]}
    told = json.loads((trial / "trial.json").read_text())
    (again / "trial.json").write_text(json.dumps(told | quiet | {"trial_id": again.name, "redo_of": trial.name}))
    seen = view_of(path)
    (group,) = seen.groups
    assert group.values("throughput_rps") == [150.0]
    page = text(words.lead(seen))
    assert "Why 1 trial is disturbed" in page and "2.0% of the server's" in page
    assert "1 trial in 1 block" in page and "1 of them was disturbed and measured again" in page
    assert [one[:2] for one in dict(facts(seen))["Trials"]["verdicts"]] == [(1, "server-bound")]  # type: ignore[index]
    assert "were planned" not in page


def test_the_wish_survives_the_resolved_file_and_is_refused_in_a_search() -> None:
    assert parse(dump(SWEEP), Path("a.yaml"), MACHINE) == SWEEP
    for mode, more in (("capacity", ""), ("relative", ", at: 0.5")):
        written = f"name: a\nload: {{mode: {mode}, slo: {{p99: 50ms}}{more}}}\norder: {{redo: disturbed}}\n"
        with pytest.raises(UserError) as refused:
            parse(written, Path("a.yaml"), MACHINE)
        assert str(refused.value).startswith("a.yaml:3: order: found ")
        assert f"allowed: redo only with load.mode closed or open (a search, {mode}" in str(refused.value)
    with pytest.raises(UserError, match=r"a.yaml:2: order.redo: found 'slow', allowed: 'disturbed'"):
        parse("name: a\norder: {redo: slow}\n", Path("a.yaml"), MACHINE)
