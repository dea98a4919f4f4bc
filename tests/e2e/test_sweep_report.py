"""A sweep ends with its report; a report that cannot be written takes nothing from the sweep."""

import secrets
from pathlib import Path

import pytest
import yaml

from tests.e2e.browsing import chromium, draw_all, shown
from tests.e2e.stack import containers_of, orchestrate

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]


def test_a_sweep_ends_with_a_report_and_keeps_its_results_where_none_can_be_written(tmp_path: Path) -> None:
    name = f"test-{secrets.token_hex(4)}"
    path = tmp_path / "sweep.yaml"
    sweep = {
        "name": name,
        "models": ["event-loop", "prefork"],
        "limits": {"cpus": 0.5},
        "load": {"users": 4},
        "warmup": "1s",
        "duration": "1s",
    }
    path.write_text(yaml.safe_dump(sweep))
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    assert containers_of(name) == []
    (results,) = (tmp_path / "results").iterdir()
    report = results / "report.html"
    assert done.stdout.splitlines()[-2:] == [f"report: {report}", f"results: {results}"]
    with chromium() as browser, shown(browser, report) as page:
        assert draw_all(page) == page.locator("figure.figure").count() == 10
        assert page.locator("#trials-table tbody tr").count() == 2

    report.unlink()
    report.mkdir()
    table = (results / "trials.csv").read_text()
    again = orchestrate("sweep", "--resume", results)
    assert again.returncode == done.returncode
    warning, last = again.stdout.splitlines()[-2:]
    assert warning.startswith("warning: no report.html: ") and str(results) in warning
    assert last == f"results: {results}"
    assert (results / "trials.csv").read_text() == table
