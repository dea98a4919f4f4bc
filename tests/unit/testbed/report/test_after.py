"""The report at the end of a sweep, which cannot fail the sweep."""

import json

import pytest

from testbed.errors import UserError
from testbed.report import after, build
from tests.unit.testbed.made_runs import make_run


def test_a_report_that_fails_leaves_the_sweep_its_results_and_says_so(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    records = {path: path.read_text() for path in run.rglob("*.json")}

    def fail(_directory):
        raise RuntimeError("of some mistake")

    monkeypatch.setattr(build, "write", fail)
    said = []
    after.after_sweep(run, said.append)
    assert said == [f"warning: no report.html: of some mistake; the trials are in {run} all the same"]
    assert {path: path.read_text() for path in run.rglob("*.json")} == records


def test_a_sweep_that_ended_says_where_its_report_is(tmp_path):
    run = make_run(tmp_path / "run")
    said = []
    after.after_sweep(run, said.append)
    assert said == [f"report: {run / 'report.html'}"]


def test_a_failed_write_leaves_the_old_report(tmp_path):
    run = make_run(tmp_path / "run")
    old = build.write(run).read_text()
    for path in run.glob("trials/*/trial.json"):
        path.write_text(json.dumps({"verdict": "server-bound"}))
    with pytest.raises(UserError):
        build.write(run)
    assert (run / "report.html").read_text() == old
