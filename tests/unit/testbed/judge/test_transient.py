"""A trial in which something was to change: judged by its gates, and by no state it was in."""

from typing import Any

import pytest

from testbed.judge.verdict import judge
from tests.unit.testbed.judge.made import replace
from tests.unit.testbed.judge.made_fronts import fronted
from tests.unit.testbed.judge.test_verdict import FAILING, GOOD, IDLE, MISSING, OPEN, WORKER

CHANGING = replace(OPEN, transient=True)
CALM = replace(CHANGING, **IDLE)


def test_it_is_no_state_that_could_be_steady_or_hold_littles_law() -> None:
    names = {gate.name for gate in judge(CHANGING).gates}
    assert {gate.name for gate in judge(OPEN).gates} - names == {"steady_state"}
    assert "littles_law" not in {gate.name for gate in judge(replace(GOOD, transient=True)).gates}
    stepped = replace(CHANGING, slice_ok=(100,) * 5 + (1_000,) * 5)
    assert (judge(stepped).kind, judge(stepped).unsteady, judge(stepped).failed) == ("transient", False, ())


def test_it_says_what_was_full_and_what_was_used() -> None:
    assert judge(CHANGING).kind == judge(CALM).kind == "transient"
    first, full, *_ = judge(CHANGING).reasons
    assert first.startswith("rate, limits or replicas were to change within the window")
    assert full.startswith("the server used 99% of the 0.5 CPUs")
    assert judge(CALM).reasons[1] == "the server used 0.495 of the 4 CPUs it can use"
    assert judge(fronted({"throttled_periods": 90}, transient=True)).reasons[1].startswith("the front was throttled")


@pytest.mark.parametrize(("name", "changes", "found"), [case for case in FAILING if case[0] != "littles_law"])
def test_what_invalidates_others_invalidates_it(name: str, changes: dict[str, Any], found: str) -> None:
    verdict = judge(replace(CHANGING, **changes))
    assert (verdict.kind, verdict.failed) == ("invalid", (name,))
    assert found in verdict.reasons[0]


@pytest.mark.parametrize("name", [name for name in MISSING if name not in ("littles_law", "steady_state")])
def test_missing_evidence_is_unknown_and_never_passes(name: str) -> None:
    assert name in judge(replace(CHANGING, **MISSING[name])).unknown


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"generator": (replace(WORKER, cpu_used_s=9.0),)}, "client-bound"),
        ({"generator": (replace(WORKER, throttled_periods=9),)}, "client-bound"),
        ({"dispatch_lag_p99_us": 5_001.0}, "client-bound"),
        ({"dispatch_lag_p99_us": 5_000.0}, "transient"),
        # What was not answered in time is what such a trial is there to show.
        ({"achieved_over_offered": 0.5}, "transient"),
    ],
)
def test_the_generator_is_held_to_its_own_schedule(changes: dict[str, Any], kind: str) -> None:
    assert judge(replace(CALM, **changes)).kind == kind


def test_a_full_server_that_makes_the_generator_late_is_not_blamed_on_it() -> None:
    verdict = judge(replace(CHANGING, dispatch_lag_p99_us=80_000.0))
    assert verdict.kind == "transient"
    assert verdict.reasons[-1].startswith("send_lag: p99 = 80 ms")


def test_what_was_not_achieved_is_said_and_whether_users_ran_out() -> None:
    behind = replace(CALM, achieved_over_offered=0.5)
    assert judge(behind).reasons[-1].startswith("achieved_over_offered: 50.0% achieved")
    assert "raise `load: users`" in judge(replace(behind, users=8)).reasons[-1]
    assert "achieved" not in " ".join(judge(CALM).reasons)


def test_a_shared_machine_that_was_full_is_no_scaling() -> None:
    shared = replace(CALM, isolated=False, machine_cpus=1, cpus=1.0, cpu_used_s=6.0)
    assert judge(shared).kind == "transient"
    assert judge(replace(shared, generator=(replace(WORKER, cpu_used_s=3.1),))).kind == "client-bound"
