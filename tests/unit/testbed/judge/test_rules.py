"""The table of gates is what a verdict is made from, and the table of thresholds says what each number decides."""

from dataclasses import fields
from typing import get_args

import pytest

from testbed.judge import rules
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate, decide
from testbed.judge.rules import RULES, Rule
from testbed.judge.thresholds import limits
from testbed.judge.verdict import FLAGS, GENERATOR_SHORT, INVALIDATING, SCHEDULE, Kind, judge
from tests import golden


def test_every_gate_has_the_name_under_which_it_stands_in_the_table() -> None:
    seen = set()
    for group in golden.read(golden.JUDGED):
        for case in group["cases"]:
            evidence = golden.evidence_of(group["base"] | case["changes"])
            for rule in RULES:
                found = rule.check(evidence, Thresholds())
                assert found is None or found.name == rule.name
                seen |= set() if found is None else {rule.name}
    # No recorded evidence has idle holders, a front, a sidecar, or anything behind the servers.
    of_later = {"held", "front_survived", "connections", "behind_survived", "wrong_value", "limited", "routes"}
    of_later |= {"sidecar_survived"}
    assert seen == {rule.name for rule in RULES} - of_later


def test_a_verdict_has_the_gates_in_the_tables_order() -> None:
    order = [rule.name for rule in RULES]
    for group in golden.read(golden.JUDGED):
        given = [gate.name for gate in judge(golden.evidence_of(group["base"] | group["cases"][0]["changes"])).gates]
        assert given == sorted(given, key=order.index)


@pytest.mark.parametrize(
    ("role", "kind"), [("invalidates", "invalid"), ("generator short", "client-bound"), ("flag", "server-bound")]
)
def test_a_gate_that_is_added_to_the_table_decides(
    monkeypatch: pytest.MonkeyPatch, role: rules.Role, kind: Kind
) -> None:
    """By its line there alone."""

    def never(evidence: Evidence, thresholds: Thresholds) -> Gate:
        return decide("never", False, "one", "none")

    monkeypatch.setattr(rules, "RULES", (*RULES, Rule("never", role, "asks", "reason", never)))
    monkeypatch.setattr("testbed.judge.verdict." + NAMED[role], (*rules.names(role),))
    case = next(case for case in golden.read(golden.MEASURED) if case["record"]["verdict"] == "server-bound")
    verdict = golden.record_again(case)
    assert verdict["verdict"] == kind
    assert "never: one; allowed: none" in verdict["reasons"]


NAMED = {"invalidates": "INVALIDATING", "generator short": "GENERATOR_SHORT", "flag": "FLAGS"}


def test_each_gate_stands_once_and_has_one_role() -> None:
    every = [*INVALIDATING, *GENERATOR_SHORT, *SCHEDULE, *FLAGS]
    assert len(set(every)) == len(every)
    assert sorted(every) == sorted(rule.name for rule in RULES)
    assert all(rule.asks and rule.reason for rule in RULES)


def test_each_threshold_says_what_it_decides_and_why() -> None:
    told = limits()
    assert [one.name for one in told] == [field.name for field in fields(Thresholds)]
    known = {rule.name for rule in RULES} | set(get_args(Kind))
    assert {one.decides for one in told} <= known
    for one in told:
        assert one.reason.endswith(".")
        assert one.name.endswith({"us": "_us", "s": "_s", "seconds": "_slices"}.get(one.unit, one.name))
        assert one.value == getattr(Thresholds(), one.name)
