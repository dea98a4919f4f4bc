"""`orchestrate.py report`: which directory it takes, and a sweep that its report cannot fail."""

import io
import json

import pytest
from rich.console import Console

from testbed.errors import UserError
from testbed.report import build, command
from tests.unit.testbed.made_runs import make_run


def reported(given, root):
    console = Console(file=io.StringIO(), width=200)
    assert command.command(given, root, console) == 0
    return console.file.getvalue()


def test_the_newest_sweep_is_taken_and_its_path_is_said(tmp_path):
    make_run(tmp_path / "b-first", manifest={"started_utc": "2026-01-02T00:00:00+00:00"})
    last = make_run(tmp_path / "a-last", manifest={"started_utc": "2026-01-03T00:00:00+00:00"})
    make_run(tmp_path / "web", manifest={"started_utc": "2026-01-04T00:00:00+00:00", "by_hand": True})
    assert reported(None, tmp_path) == f"report: {last / 'report.html'}\n"
    assert (last / "report.html").is_file()


def test_a_name_under_results_is_as_good_as_a_path(tmp_path):
    run = make_run(tmp_path / "mine")
    assert reported("mine", tmp_path) == reported(str(run), tmp_path / "elsewhere")


def test_no_results_at_all_say_what_makes_some(tmp_path):
    with pytest.raises(UserError, match="nothing to report; `make demo` runs a first sweep"):
        command.newest(tmp_path)


def test_a_report_that_fails_leaves_the_sweep_its_results_and_says_so(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    records = {path: path.read_text() for path in run.rglob("*.json")}

    def fail(_directory):
        raise RuntimeError("of some mistake")

    monkeypatch.setattr(build, "write", fail)
    said = []
    command.after_sweep(run, said.append)
    assert said == [f"warning: no report.html: of some mistake; the trials are in {run} all the same"]
    assert {path: path.read_text() for path in run.rglob("*.json")} == records


def test_a_sweep_that_ended_says_where_its_report_is(tmp_path):
    run = make_run(tmp_path / "run")
    said = []
    command.after_sweep(run, said.append)
    assert said == [f"report: {run / 'report.html'}"]


def test_a_failed_write_leaves_the_old_report(tmp_path):
    run = make_run(tmp_path / "run")
    old = build.write(run).read_text()
    for path in run.glob("trials/*/trial.json"):
        path.write_text(json.dumps({"verdict": "server-bound"}))
    with pytest.raises(UserError):
        build.write(run)
    assert (run / "report.html").read_text() == old
