"""What failed on purpose, as a table for each fault, and sidecars among the systems that are compared."""

from pathlib import Path
from typing import Any

import pytest

from testbed.plan.cell import Cell
from testbed.report import faults, setups, systems
from testbed.report.view import View
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import text, view_of

SWEEP: dict[str, Any] = {
    "models": ["event-loop"],
    "limits": {"cpus": 0.3},
    "replicas": {"count": 3},
    "workload": {"protocol": "http"},
    "front": {"kind": "envoy", "cpus": 0.3, "eject": ["none", 3]},
    "sidecar": {"kind": ["none", "envoy"], "cpus": 0.1},
    "load": {"mode": "open", "rate": 100},
    "fault": ["none", {"is": "stopped", "replica": 2, "at": "2s", "for": "4s"}],
}


def measured(cell: Cell, block: int) -> dict[str, Any]:
    if cell.fault == "none":
        return {"verdict": "not-saturated"}
    found: dict[str, Any] = {"verdict": "transient", "failed": 10 * block, "connections_lost": 0, "amplification": 1.25}
    found |= {"outage_s": 3.5, "outage_over": cell.eject > 0, "ejected_after_s": None, "back_after_s": None}
    return found | ({"ejected_after_s": 0.75} if cell.eject and block > 1 else {})


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> View:
    return view_of(make_run(tmp_path_factory.mktemp("faults") / "run", SWEEP, measured=measured))


def test_each_fault_has_a_table_of_the_systems_that_met_it(seen: View) -> None:
    (found,) = faults.contests(seen)
    assert found["heading"] == "On purpose: replica 2 stopped at 2s for 4s"
    said = text(found["table"])
    assert said.count("sidecar envoy") == said.count("no sidecar") == 2
    for words in ("20 (10 to 30)", "3.5+", "0.75, in 2 of 3", "did not", "1.25"):
        assert words in said, said


def test_the_lead_says_with_which_system_the_fewest_requests_failed(tmp_path: Path) -> None:
    def fails(cell: Cell, block: int) -> dict[str, Any]:
        return measured(cell, block) | {"failed": 40 if cell.eject else 120 + block}

    of = {**SWEEP, "fault": SWEEP["fault"][1], "sidecar": "none"}
    view = view_of(make_run(tmp_path / "run", of, measured=fails))
    assert systems.is_only(view)
    (line,) = faults.in_short(view)
    assert line in systems.in_short(view)
    assert line.startswith("On purpose: replica 2 stopped at 2s for 4s: 40 requests failed in the median with")
    assert ", 122 with event-loop" in line
    same = view_of(make_run(tmp_path / "same", of, measured=lambda *at: measured(*at) | {"failed": 3}))
    assert faults.in_short(same)[0].endswith(", and as many with every other system.")
    alone = view_of(make_run(tmp_path / "one", {**of, "front": "envoy"}, measured=fails))
    assert faults.in_short(alone) == [] and not systems.is_only(alone)


def test_without_a_fault_there_is_no_table(tmp_path_factory: pytest.TempPathFactory) -> None:
    plain = {**SWEEP, "fault": "none"}
    still = view_of(make_run(tmp_path_factory.mktemp("still") / "run", plain, measured=measured))
    assert faults.contests(still) == []
    assert "On purpose" not in text(systems.section(still))


def test_a_system_is_called_by_its_sidecars(seen: View) -> None:
    assert "On purpose: replica 2 stopped" in text(systems.section(seen))
    row = dict(seen.groups[0].rows[0]) | {"replicas": 3, "sidecar": "envoy"}
    assert setups.system(row) == "3 replicas of 0.1 CPU each with a sidecar behind envoy"
    assert setups.part("eject", row | {"front": "haproxy", "eject": 0}) == ""
    assert setups.part("retries", row | {"retries": 1}) == "1 retry"
