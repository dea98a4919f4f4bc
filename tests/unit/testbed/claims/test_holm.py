"""Claims on one question are corrected for their number."""

import pytest

from testbed.claims import holm
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Finding

TRIGGERS = [name for name, claim in CLAIMS.items() if claim.question == CLAIMS["trigger-cpu"].question]


def test_the_smallest_counts_as_often_as_there_are_and_none_passes_the_one_before_it() -> None:
    assert holm.adjusted({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm.adjusted({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm.adjusted({}) == {}


def found(p: float | None, outcome: str = "holds") -> Finding:
    return Finding(outcome, "", "the interval", p=p)  # type: ignore[arg-type]


def test_what_holds_by_itself_may_not_be_shown_among_others() -> None:
    assert len(TRIGGERS) >= 2
    one, other = TRIGGERS[:2]
    alone = holm.corrected(CLAIMS, {one: found(0.04)})
    assert alone[one].outcome == "holds"
    both = holm.corrected(CLAIMS, {one: found(0.04), other: found(0.03)})
    assert {finding.outcome for finding in both.values()} == {"not shown"}
    assert "among 2 claims on this question" in both[one].decided
    clear = holm.corrected(CLAIMS, {one: found(0.01), other: found(0.04)})
    assert [clear[name].outcome for name in (one, other)] == ["holds", "holds"]


@pytest.mark.parametrize("outcome", ["does not hold", "not shown", "inconclusive here"])
def test_nothing_else_changes(outcome: str) -> None:
    one, other = TRIGGERS[:2]
    findings = {one: found(0.5, outcome), other: found(None)}
    assert holm.corrected(CLAIMS, findings) == findings
