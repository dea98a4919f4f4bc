"""`orchestrate.py report`: which directory it takes, and where it says that the page is."""

import io

import pytest
from rich.console import Console

from testbed.commands.report import newest
from testbed.errors import UserError
from tests.commanded import commanded
from tests.unit.testbed.made_runs import make_run


def reported(root, *given):
    console = Console(file=io.StringIO(), width=200)
    assert commanded(console, "report", *given, "--results", root) == 0
    return console.file.getvalue()


def test_the_newest_sweep_is_taken_and_its_path_is_said(tmp_path):
    make_run(tmp_path / "b-first", manifest={"started_utc": "2026-01-02T00:00:00+00:00"})
    last = make_run(tmp_path / "a-last", manifest={"started_utc": "2026-01-03T00:00:00+00:00"})
    make_run(tmp_path / "web", manifest={"started_utc": "2026-01-04T00:00:00+00:00", "by_hand": True})
    assert reported(tmp_path) == f"report: {last / 'report.html'}\n"
    assert (last / "report.html").is_file()


def test_a_name_under_results_is_as_good_as_a_path(tmp_path):
    run = make_run(tmp_path / "mine")
    assert reported(tmp_path, "mine") == reported(tmp_path / "elsewhere", str(run))


def test_no_results_at_all_say_what_makes_some(tmp_path):
    with pytest.raises(UserError, match="nothing to report; `make demo` runs a first sweep"):
        newest(tmp_path)


def test_results_from_elsewhere_are_those_of_the_web_page(tmp_path):
    with pytest.raises(UserError, match=r"^--from: found without `web`, allowed: report web --from DIR$"):
        reported(tmp_path, "mine", "--from", str(tmp_path))
