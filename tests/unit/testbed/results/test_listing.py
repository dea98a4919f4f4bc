"""`results` lists every run with what came of it; what is not ours is not listed, what is broken is said."""

import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from testbed.errors import UserError
from testbed.results.listing import Listed, list_runs
from testbed.stack import lock
from tests.commanded import commanded
from tests.made_results import make_search
from tests.unit.testbed.made_runs import make_run


def listed(root: Path) -> dict[str, Listed]:
    return {one.name: one for one in list_runs(root)}


def test_a_complete_run_with_its_verdicts_and_size(tmp_path: Path) -> None:
    def measured(cell: object, block: int) -> dict[str, str]:
        return {"verdict": "invalid"} if block == 1 else {}

    path = make_run(tmp_path / "made-1", measured=measured)
    (path / "report.html").write_text("x" * 5000)
    one = listed(tmp_path)["made-1"]
    assert (one.state, one.trials, one.planned, one.report) == ("complete", 12, 12, True)
    assert one.verdicts == {"invalid": 4, "server-bound": 8}
    assert one.bytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_a_run_that_lacks_trials_is_interrupted_and_told_how_to_complete_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "made-2", measured=lambda cell, block: {} if block == 1 else None)
    assert (listed(tmp_path)["made-2"].state, listed(tmp_path)["made-2"].planned) == ("interrupted", 12)
    commanded(Console(width=80, no_color=True), "results", "--results", tmp_path)
    text = capsys.readouterr().out
    assert "4 of 12" in text
    assert f"orchestrate.py sweep --resume {tmp_path / 'made-2'}" in text.replace("\n", "")


def test_the_run_that_holds_the_lock_is_running(tmp_path: Path) -> None:
    place, root = tmp_path / "lock", tmp_path / "runs"
    make_run(root / "made-3", measured=lambda cell, block: None)
    with lock.only_sweep("made-0000", place):
        assert [one.state for one in list_runs(root, place)] == ["running"]
    assert [one.state for one in list_runs(root, place)] == ["interrupted"]


def test_a_search_is_complete_once_each_of_its_searches_is_over_whatever_its_summary_says(tmp_path: Path) -> None:
    path = make_search(tmp_path / "made-4")
    (path / "summary.json").write_text("{}")
    assert (listed(tmp_path)["made-4"].planned, listed(tmp_path)["made-4"].state) == (None, "complete")
    whole = (path / "capacity.csv").read_text()
    (path / "capacity.csv").write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    assert listed(tmp_path)["made-4"].state == "interrupted"
    (path / "capacity.csv").unlink()
    assert listed(tmp_path)["made-4"].state == "interrupted"
    (path / "capacity.csv").write_text(whole)
    shutil.rmtree(next((path / "trials").glob("*-at50")))
    assert listed(tmp_path)["made-4"].state == "interrupted"


def test_what_cannot_be_read_is_listed_as_such_and_hides_no_other(tmp_path: Path) -> None:
    broken = make_run(tmp_path / "broken")
    record = next((broken / "trials").glob("*/trial.json"))
    record.write_text("{")
    (make_run(tmp_path / "torn") / "manifest.json").write_text("{")
    (make_run(tmp_path / "planless") / "sweep.yaml").write_text("models: [no-such-model]\n")
    make_run(tmp_path / "whole")
    (tmp_path / "not-ours").mkdir()
    found = listed(tmp_path)
    assert {name: (one.state, one.trials) for name, one in found.items()} == {
        "broken": ("interrupted", 11),
        "torn": ("unreadable", 0),
        "planless": ("unreadable", 12),
        "whole": ("complete", 12),
    }
    assert found["broken"].note == f"trials/{record.parent.name}/trial.json cannot be read"
    assert "manifest.json is missing or cannot be read" in found["torn"].note
    assert "no-such-model" in found["planless"].note
    assert found["whole"].note == ""


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "made-5")
    assert commanded(Console(width=80), "results", "--results", tmp_path, "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["runs"]
    assert (one["name"], one["state"], one["verdicts"]) == ("made-5", "complete", {"server-bound": 12})


def test_no_results_yet_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing has been measured yet"):
        list_runs(tmp_path / "results")
