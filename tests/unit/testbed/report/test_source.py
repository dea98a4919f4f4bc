"""A results directory is read as it lies there: whole, cut off, damaged, or not one at all."""

import json
import shutil

import pytest

from testbed.errors import UserError
from testbed.report.build import html, write
from testbed.report.source import read
from tests.made_results import HOSTILE, make_results
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import Page, text


@pytest.fixture
def run(small, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(small, tmp_path / "run")


def test_whole_results_have_no_problems(small):
    results = read(small)
    assert results.problems == ()
    assert len(results.rows) == 30
    assert results.sweep["name"] == "made"


def test_a_directory_without_manifest_is_refused_with_what_is_allowed(tmp_path):
    with pytest.raises(UserError, match=r"no results here, manifest\.json is missing.*allowed: a directory such as"):
        read(tmp_path)


def test_results_without_any_finished_trial_are_refused(tmp_path):
    run = make_run(tmp_path / "run", measured=lambda cell, block: None)
    with pytest.raises(UserError, match="no finished trial here"):
        read(run)


@pytest.mark.parametrize("name", ["load.json", "probe.json"])
def test_a_missing_file_of_a_trial_is_said_and_the_rest_is_reported(run, name):
    (victim,) = (run / "trials").glob("001-*")
    (victim / name).unlink()
    (problem,) = read(run).problems
    assert problem.startswith(f"{name} is missing for {victim.name}: no ")
    assert problem in text(html(read(run)))


def test_every_file_beside_the_records_may_be_missing(run):
    for name in ("load.json", "probe.json", "probe.ndjson"):
        for path in (run / "trials").glob(f"*/{name}"):
            path.unlink()
    (run / "sweep.yaml").unlink()
    page = Page(write(run).read_text())
    assert page.count("figure", id="throughput") == 1
    assert page.count("figure", id="latency") == page.count("figure", id="accept-queue") == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"verdict": "server-bound"}', "\x00"])
def test_a_damaged_record_is_said_and_never_dropped_silently(run, damage):
    (victim,) = (run / "trials").glob("001-*")
    (victim / "trial.json").write_text(damage)
    results = read(run)
    assert len(results.rows) == 29
    (problem,) = [one for one in results.problems if one.startswith("trials/")]
    assert problem.startswith(f"trials/{victim.name}/trial.json cannot be read")


def test_a_trial_whose_record_is_gone_comes_from_the_table(run):
    results = read(run)
    columns = ["trial_id", "model", "cpus", "verdict", "throughput_rps", "block", "canary"]
    row = {name: results.rows[0][name] for name in columns}
    (run / "trials.csv").write_text(",".join(columns) + "\n" + ",".join(str(row[name]) for name in columns) + "\n")
    shutil.rmtree(run / "trials" / row["trial_id"])
    again = read(run)
    assert len(again.rows) == 30
    found = next(one for one in again.rows if one["trial_id"] == row["trial_id"])
    assert {name: found[name] for name in columns} == row
    assert any(problem.startswith(f"trial.json is missing for {row['trial_id']}") for problem in again.problems)


def test_a_torn_line_of_the_probe_is_left_out(run):
    (place,) = (run / "trials").glob("001-*")
    with (place / "probe.ndjson").open("a") as file:
        file.write('{"unix": 17')
    assert len(read(run).series(place.name)) == 48


def test_the_report_is_made_again_the_same_from_the_same_files(run):
    first = write(run).read_text()
    assert write(run).read_text() == first


def test_only_invalid_trials_make_a_page_all_the_same(tmp_path):
    page = Page(write(make_results(tmp_path / "run", verdict="invalid", status="failed")).read_text())
    assert page.count("figure", id="throughput") == 1
    assert page.count("figure", id="memory") == 0
    assert page.count("tr", **{"class": "trial invalid"}) == 30


def test_runs_by_hand_make_a_page_that_ranks_nothing_for_sure(run):
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"by_hand": True}))
    told = text(html(read(run)))
    assert "Runs started by hand from the web page" in told
    assert "These runs were started by hand" in told
    assert "95 % confidence in each comparison" not in told
    assert "orchestrate.py report web" in told


def test_hostile_text_from_the_files_stays_text(run):
    (run / "sweep.yaml").write_text(f"name: '{HOSTILE}'\n")
    manifest = json.loads((run / "manifest.json").read_text())
    host = manifest["host"] | {"cpu_model": HOSTILE}
    (run / "manifest.json").write_text(json.dumps(manifest | {"host": host, "note": HOSTILE}))
    for path in (run / "trials").glob("*/trial.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"model": f"x{HOSTILE}", "verdict": HOSTILE, "connection": HOSTILE}))
    before, page = Page(write(make_results(run / "other")).read_text()), write(run).read_text()
    assert HOSTILE not in page
    assert "<b>" not in page
    found = Page(page)
    assert found.count("script") - found.count("script", type="application/json") == (
        before.count("script") - before.count("script", type="application/json")
    )


def test_a_report_over_an_older_run_shows_no_part_of_the_switches(tmp_path):
    run = make_results(tmp_path / "run", schema_version=2)
    assert all(row["voluntary_switches"] is None for row in read(run).rows)
    page = Page(write(run).read_text())
    assert page.count("figure", id="throughput") == 1
    assert page.count("figure", id="switches") == 0
