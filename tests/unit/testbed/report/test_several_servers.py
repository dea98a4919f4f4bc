"""A report on a trial with two servers shows each of them, and takes no part for the whole."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from testbed.report.build import html
from testbed.report.derive import derive, exit_workers
from testbed.report.source import Row, read

NAMES = ("spst-1", "spst-2")


@pytest.fixture
def run(small: Path, tmp_path: Path) -> Path:
    """Results in which the first trial of spst had two servers."""
    copy = Path(shutil.copytree(small, tmp_path / "run"))
    place = trial(copy)
    record = json.loads((place / "trial.json").read_text())
    boxes = [{"name": name, "role": "server", "accept_queue_max": 5 + n} for n, name in enumerate(NAMES)]
    reports = {name: {"workers": [{"pid": 1, "served": 10}]} for name in NAMES}
    del record["exit_report"]
    record |= {"boxes": [*boxes, {"name": "w", "role": "load worker"}], "exit_reports": reports, "pss_bytes": 3000}
    (place / "trial.json").write_text(json.dumps(record))
    samples = (place / "probe.ndjson").read_text()
    for n, name in enumerate(NAMES):
        (place / f"{name}.probe.json").write_text(json.dumps({"closed": {"processes": n + 1}}))
        (place / f"{name}.probe.ndjson").write_text(samples)
    (place / "probe.json").unlink()
    (place / "probe.ndjson").unlink()
    return copy


def trial(run: Path) -> Path:
    return min((run / "trials").glob("*-spst-*"))


def row(run: Path) -> tuple[Any, Row]:
    results = read(run)
    derive(results)
    return results, next(one for one in results.rows if one["trial_id"] == trial(run).name)


def test_processes_of_both_share_the_memory(run: Path) -> None:
    results, found = row(run)
    assert results.problems == ()
    assert found["pss_per_process_bytes"] == 1000
    (trial(run) / "spst-2.probe.json").unlink()
    assert row(run)[1]["pss_per_process_bytes"] is None


def test_workers_of_both_are_shown(run: Path) -> None:
    assert len(exit_workers(*row(run))) == 2


def test_each_has_its_queue(run: Path) -> None:
    page = html(read(run))
    for name in NAMES:
        assert f"{trial(run).name} {name}" in page
