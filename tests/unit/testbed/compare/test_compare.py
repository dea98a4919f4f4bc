"""Runs are compared on equal cells, a difference is claimed only where it shows, and a gate fails only on that."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from testbed.compare import gate
from testbed.compare.join import Comparison
from testbed.compare.pair import Pair
from testbed.compare.pairs import compare
from testbed.errors import UserError
from testbed.results.directory import csv_text
from tests.commanded import commanded
from tests.made_results import SEARCH, make_search
from tests.unit.testbed.made_runs import make_run, manifest, steady


def compared(tmp_path: Path, *fail_if: str, second: Any = None, **other: Any) -> Pair:
    first = make_run(tmp_path / "first", measured=steady(1000.0))
    second = make_run(tmp_path / "second", **{"measured": second or steady(1000.0), **other})
    (pair,) = compare([first, second], [gate.parse(text) for text in fail_if], force=False)
    return pair


def throughputs(pair: Pair) -> dict[tuple[str, float], Comparison]:
    return {
        (cell.cell["model"], cell.cell["cpus"]): one
        for cell in pair.joined.cells
        for one in cell.comparisons
        if one.measure.name == "throughput"
    }


def printed(*words: str | Path, width: int = 80) -> tuple[int, str]:
    console = Console(width=width, record=True, file=io.StringIO(), no_color=True)
    code = commanded(console, "compare", *words)
    return code, console.export_text()


def test_a_change_of_one_model_shows_there_and_nowhere_else(tmp_path: Path) -> None:
    found = throughputs(compared(tmp_path, second=steady(1000.0, spmt=0.8)))
    assert set(found) == {("spst", 0.5), ("spst", 1.0), ("spmt", 0.5), ("spmt", 1.0)}
    changed = found["spmt", 0.5]
    assert changed.shown
    assert changed.words() == "less in the second"
    assert changed.ratio is not None and changed.ratio.low is not None and changed.ratio.high is not None
    assert changed.ratio.low < 0.8 < changed.ratio.high < 0.9
    assert found["spst", 0.5].words() == "no difference shown"


@pytest.mark.parametrize(("verdict", "mark"), [("client-bound", "C"), ("front-bound", "F"), ("server-bound", "")])
def test_throughput_that_was_not_the_servers_is_marked(tmp_path: Path, verdict: str, mark: str) -> None:
    def second(cell: Any, block: int) -> dict[str, Any]:
        return steady(1000.0)(cell, block) | {"verdict": verdict if cell.model == "spmt" else "server-bound"}

    compared(tmp_path, second=second)
    _, told = printed(tmp_path / "first", tmp_path / "second", width=120)
    lines = [line.split() for line in told.splitlines()]
    marks = [{"C", "F"} & set(words) for words in lines if words and words[0] == "spmt"]
    assert any(mark in found for found in marks) == bool(mark)
    assert all(found <= {mark} for found in marks)
    assert not any({"C", "F"} & set(words) for words in lines if words and words[0] == "spst")


def test_too_few_trials_give_a_ratio_without_an_interval_and_claim_nothing(tmp_path: Path) -> None:
    second = make_run(tmp_path / "second", {"repeat": 2}, measured=steady(500.0))
    (pair,) = compare([make_run(tmp_path / "first", measured=steady(1000.0)), second], [], force=False)
    one = throughputs(pair)["spst", 0.5]
    assert one.ratio is not None
    assert abs(one.ratio.estimate - 0.5) < 0.01
    assert (one.ratio.low, one.shown) == (None, False)
    assert "at least 3 are needed" in one.words()


def test_invalid_trials_give_no_number_and_are_counted(tmp_path: Path) -> None:
    def broken(cell: Any, block: int) -> dict[str, Any]:
        good = {"throughput_rps": 1000.0}
        return {"throughput_rps": 9.0, "verdict": "invalid"} if cell.model == "spmt" else good

    pair = compared(tmp_path, second=broken)
    assert throughputs(pair)["spmt", 1.0].words() == "no valid value in one run"
    (verdicts,) = {tuple(cell.other_verdicts) for cell in pair.joined.cells if cell.cell["model"] == "spmt"}
    assert verdicts == ("invalid",)


def test_cells_of_one_run_alone_are_named(tmp_path: Path) -> None:
    pair = compared(tmp_path, sweep={"limits": {"cpus": [1.0]}, "models": ["spst", "mpst"]})
    assert [(cell.cell["model"], cell.cell["cpus"]) for cell in pair.joined.cells] == [("spst", 1.0)]
    assert {(cell["model"], cell["cpus"]) for cell in pair.joined.only_base} == {
        ("spst", 0.5),
        ("spmt", 0.5),
        ("spmt", 1.0),
    }
    assert [cell["model"] for cell in pair.joined.only_other] == ["mpst"]


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cell in common"):
        compared(tmp_path, sweep={"limits": {"cpus": 0.25}})


def test_another_machine_is_refused_and_force_says_it(tmp_path: Path) -> None:
    other = {"host": {**manifest()["host"], "cpu_model": "b"}}
    with pytest.raises(UserError, match=r"host.cpu_model was a, is b; --force compares"):
        compared(tmp_path, manifest=other)
    (pair,) = compare([tmp_path / "first", tmp_path / "second"], [], force=True)
    assert pair.conditions.refused == ["host.cpu_model was a, is b"]


def test_a_machine_that_is_not_known_is_said_and_taken_neither_for_the_same_nor_for_another(tmp_path: Path) -> None:
    pair = compared(tmp_path, manifest=manifest(host=None, engine=None))
    assert [line for line in pair.conditions.warned if "is not known" in line] == [
        "the host of a run is not known: the ratios may compare machines",
        "the engine of a run is not known: the ratios may compare machines",
    ]


def test_what_a_comparison_is_about_is_stated_and_not_refused(tmp_path: Path) -> None:
    changed = {"images": {"spst": "sha256:2"}, "threadmill": {"version": "0.2.0", "commit": None}}
    found = compared(tmp_path, manifest=changed).conditions
    assert found.refused == []
    assert any("images.spst was sha256:1, is sha256:2" in line for line in found.stated)
    assert any("threadmill.version was 0.1.0, is 0.2.0" in line for line in found.stated)
    assert any("commit was cccccccccccc, is not known" in line for line in found.stated)


def test_other_settings_and_another_speed_of_the_machine_are_warnings(tmp_path: Path) -> None:
    slower = {"calibration": {"spin_units_per_ms": 800.0}}
    pair = compared(tmp_path, sweep={"duration": "3s", "load": {"workers": 2}}, manifest=slower)
    text = "\n".join(pair.conditions.warned)
    assert "duration was 10 s, is 3 s" in text
    assert "load.workers was 1, is 2" in text
    assert "speed moved 0.80-fold" in text
    assert pair.speed == 0.8


def test_the_canaries_tell_the_machines_drift(tmp_path: Path) -> None:
    order = {"order": {"canary": True}}
    first = make_run(tmp_path / "first", order, measured=lambda cell, block: {"throughput_rps": 1000.0})
    second = make_run(tmp_path / "second", order, measured=lambda cell, block: {"throughput_rps": 900.0})
    (pair,) = compare([first, second], [], force=False)
    assert pair.canary == pytest.approx(0.9)
    assert "the canary served 0.90 times as much" in (pair.drift_line() or "")
    assert len(pair.joined.cells) == 4


# --- the gate ---


@pytest.mark.parametrize(
    ("condition", "code"),
    [("throughput < 0.9", 1), ("throughput<0.7", 0), ("throughput > 1.1", 0), ("p99 > 1.10", 0)],
)
def test_a_gate_fails_where_a_difference_beyond_it_is_shown(tmp_path: Path, condition: str, code: int) -> None:
    pair = compared(tmp_path, condition, second=steady(800.0))
    assert gate.worst(pair.gates) == code


def test_noise_alone_fails_no_gate(tmp_path: Path) -> None:
    def wild(cell: Any, block: int) -> dict[str, Any]:
        return {"throughput_rps": 1000.0 * (0.3, 1.4, 0.8)[block - 1]}

    pair = compared(tmp_path, "throughput < 0.95", second=wild)
    assert throughputs(pair)["spst", 1.0].ratio.estimate < 0.95  # type: ignore[union-attr]
    assert gate.worst(pair.gates) == 0


def test_what_cannot_be_judged_does_not_pass(tmp_path: Path) -> None:
    pair = compared(tmp_path, "throughput < 0.9", second=lambda cell, block: {"verdict": "invalid"})
    assert gate.worst(pair.gates) == 3
    lines = pair.gates[0].lines(lambda cell: str(cell.cell["model"]))
    assert lines[0] == "not judged: throughput < 0.9: spst: no valid value in one run"


@pytest.mark.parametrize("text", ["p99", "p98 > 1", "p99 >= 1.1", "p99 > -1", "p99 > 0", "", "p99 > 1.1 or so"])
def test_what_is_no_condition_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(
        UserError, match="allowed: one of throughput, p50, p90, p99, cpu, memory, capacity, then > or <"
    ):
        gate.parse(text)


# --- what is printed ---


def test_the_tables_fit_a_terminal_of_80_and_say_what_their_marks_mean(tmp_path: Path) -> None:
    paths = [make_run(tmp_path / "first", measured=steady(1000.0))]
    paths.append(make_run(tmp_path / "second", measured=steady(1000.0, spmt=0.5)))
    code, text = printed(*paths)
    assert code == 0
    (line,) = [line for line in text.splitlines() if line.startswith("spmt") and "0.5" in line and ".50 " in line]
    assert len(line.rstrip()) <= 80
    assert "…" not in text
    assert "(1.00" in text
    assert "requests/s: less in 2, no difference shown in 2 of 4 cells" in text
    assert "would exclude 1 if nothing had changed" in text


def test_json_holds_every_ratio_with_its_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [make_run(tmp_path / name, measured=steady(1000.0)) for name in ("first", "second", "third")]
    assert commanded(Console(soft_wrap=True), "compare", *paths, "--json", "--fail-if", "p99 > 1.1") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert [Path(one["second"]).name for one in document["comparisons"]] == ["second", "third"]
    cell = document["comparisons"][0]["cells"][0]
    assert cell["verdicts"]["first"] == {"server-bound": 3}
    ratio = cell["measures"]["throughput_rps"]["ratio"]
    assert ratio["low"] < 1 < ratio["high"]
    assert document["comparisons"][0]["fail_if"][0]["outcome"] == "holds"


def test_one_directory_or_the_same_twice_is_refused(tmp_path: Path) -> None:
    path = make_run(tmp_path / "first")
    with pytest.raises(UserError, match="two or more"):
        compare([path], [], force=False)
    with pytest.raises(UserError, match="different directories"):
        compare([path, tmp_path / "x" / ".." / "first"], [], force=False)
    with pytest.raises(UserError, match=r"no results here, manifest.json is missing"):
        compare([path, tmp_path], [], force=False)


# --- searches ---


def searched(tmp_path: Path, *fail_if: str, **second: float) -> Pair:
    first = make_search(tmp_path / "first", {"spst": 900.0})
    other = make_search(tmp_path / "second", {"spst": 900.0, **second})
    (pair,) = compare([first, other], [gate.parse(text) for text in fail_if], force=False)
    return pair


def capacities(pair: Pair) -> dict[tuple[str, float], Comparison]:
    return {(cell.cell["model"], cell.cell["cpus"]): cell.comparisons[0] for cell in pair.joined.searches}


def test_capacities_are_compared_and_steps_of_searches_join_nothing(tmp_path: Path) -> None:
    pair = searched(tmp_path, "capacity < 0.9", spmt=900.0)
    found = capacities(pair)
    assert len(found) == 10
    halved = found["spmt", 1.0]
    assert halved.ratio is not None and halved.ratio.high is not None
    assert halved.ratio.low < 0.5 < halved.ratio.high < 0.6  # type: ignore[operator]
    assert halved.words() == "less in the second"
    assert not found["spst", 0.5].shown
    assert gate.worst(pair.gates) == 1
    assert {cell.cell["share"] for cell in pair.joined.cells} == {0.5, 0.9}
    assert {cell.cell["rate_rps"] for cell in pair.joined.cells} == {None}
    assert {sum(cell.base_verdicts.values()) for cell in pair.joined.cells} == {SEARCH["repeat"]}
    code, text = printed(tmp_path / "first", tmp_path / "second", "--html", tmp_path / "page.html")
    assert code == 0
    assert "capacity: less in 2, no difference shown in 8 of 10 cells" in text
    assert "ratio-1-capacity" in (tmp_path / "page.html").read_text()


def test_a_bound_and_a_search_without_an_answer_have_no_ratio_and_pass_no_gate(tmp_path: Path) -> None:
    searched(tmp_path)
    path = tmp_path / "second" / "capacity.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["model"] == "spmt":
            row["client_bound"] = "True"
        if row["model"] == "prefork":
            row |= {"answered": "False", "reason": "3 invalid trials", "rate_rps": "", "fails_at_rps": ""}
    path.write_text(csv_text(rows, rows[0]))
    (pair,) = compare([tmp_path / "first", tmp_path / "second"], [gate.parse("capacity < 0.9")], force=False)
    found = capacities(pair)
    assert found["spmt", 1.0].words().startswith("the load generator was the limit in the second run: at least ")
    assert found["prefork", 1.0].words() == "not answered in the second run: 3 invalid trials"
    assert found["prefork", 1.0].other is None
    assert gate.worst(pair.gates) == 3


def test_a_gate_on_capacity_is_not_judged_where_nothing_was_searched(tmp_path: Path) -> None:
    pair = compared(tmp_path, "capacity < 0.9")
    assert gate.worst(pair.gates) == 3
    assert pair.gates[0].lines(str) == ["not judged: capacity < 0.9: no cell in common has a capacity"]


def test_another_objective_is_no_cell_in_common(tmp_path: Path) -> None:
    searched(tmp_path)
    path = tmp_path / "second" / "capacity.csv"
    path.write_text(path.read_text().replace(",50000,", ",20000,"))
    (pair,) = compare([tmp_path / "first", tmp_path / "second"], [], force=False)
    assert pair.joined.searches == ()
