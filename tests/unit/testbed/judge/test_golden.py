"""Today's judge on recorded evidence: the verdicts, gates and figures of real trials, and the verdicts of f0f7ac4."""

from typing import Any

import pytest

from testbed.judge.verdict import judge
from tests import golden

MEASURED = golden.read(golden.MEASURED)
JUDGED = golden.read(golden.JUDGED)

# Gates that f0f7ac4 did not have yet. Without their evidence they decide nothing: not known, or not applied.
LATER = frozenset({"disturbed", "held"})


def name_of(case: dict[str, Any]) -> str:
    record = case["record"]
    return f"{record['trial_id']}-{record['mode']}-{record['connection']}-{record['verdict']}"


@pytest.mark.parametrize("case", MEASURED, ids=name_of)
def test_a_measured_trial_gets_the_same_gates_verdict_and_figures_again(case: dict[str, Any]) -> None:
    kept, again = case["record"], golden.record_again(case)
    assert again["gates"] == kept["gates"]
    assert (again["verdict"], again["reasons"]) == (kept["verdict"], kept["reasons"])
    assert golden.differences(case) == []


@pytest.mark.parametrize("group", JUDGED, ids=lambda group: group["of"])
def test_evidence_in_the_form_of_f0f7ac4_gets_its_verdict(group: dict[str, Any]) -> None:
    for case in group["cases"]:
        verdict = judge(golden.evidence_of(group["base"] | case["changes"]))
        gates = [gate for gate in verdict.gates if gate.name not in LATER]
        assert verdict.kind == case["kind"], case["what"]
        assert list(verdict.reasons) == case["reasons"], case["what"]
        assert {gate.name: gate.status for gate in gates if gate.status != "pass"} == case["gates"], case["what"]
        assert len(gates) == case["of"], case["what"]


def test_the_recorded_evidence_holds_what_it_is_for() -> None:
    """Every verdict, both kinds of loop, every model, and every gate failing at least once."""
    records = [case["record"] for case in MEASURED]
    verdicts = {"server-bound", "not-saturated", "client-bound", "invalid"}
    assert {record["verdict"] for record in records} == verdicts
    assert {record["mode"] for record in records} >= {"closed", "open"}
    assert len({record["model"] for record in records}) == 8
    judged = [case for group in JUDGED for case in group["cases"]]
    assert {case["kind"] for case in judged} == verdicts
    gates = {gate["name"] for record in records for gate in record["gates"]} - LATER
    failed = {name for case in judged for name, status in case["gates"].items() if status == "fail"}
    assert gates <= failed


def test_a_record_that_says_something_else_is_noticed() -> None:
    case = MEASURED[0]
    load = case["load"] | {"ok": case["load"]["ok"] * 3}
    assert set(golden.differences(case | {"load": load})) >= {"gates", "verdict", "ok", "cpu_us_per_request"}
