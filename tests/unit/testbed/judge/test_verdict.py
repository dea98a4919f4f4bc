"""Each gate fails by itself and for its own reason, at its own threshold, and precedence is as documented."""

import dataclasses
from typing import Any

import pytest

from testbed.judge.verdict import (
    FLAGS,
    GENERATOR_SHORT,
    INVALIDATING,
    SCHEDULE,
    Box,
    Evidence,
    judge,
)
from tests.unit.testbed.judge.made import GOOD, IDLE, OPEN, WORKER, replace


def failed_worker(**changes: Any) -> tuple[Box, ...]:
    return (WORKER, replace(WORKER, name="w2", **changes))


def test_a_good_saturated_trial_passes_every_gate_and_is_server_bound() -> None:
    for good in (GOOD, OPEN):
        verdict = judge(good)
        assert (verdict.kind, verdict.failed, verdict.unknown) == ("server-bound", (), ())
        assert "99% of the 0.5 CPUs" in verdict.reasons[0]


def test_gates_belong_to_the_loop_they_are_defined_for() -> None:
    closed, opened = ({gate.name for gate in judge(e).gates} for e in (GOOD, OPEN))
    assert closed ^ opened == {"littles_law", "send_lag", "achieved_over_offered"}
    holding = {gate.name for gate in judge(replace(GOOD, idle_holders=9)).gates}
    assert holding - closed == {"held"}
    front = Box("front", "front")
    before = {gate.name for gate in judge(dataclasses.replace(GOOD, boxes=(*GOOD.boxes, front))).gates}
    assert before - closed == {"front_survived", "connections"}
    behind = {gate.name for gate in judge(dataclasses.replace(GOOD, boxes=(*GOOD.boxes, Box("nats", "broker")))).gates}
    assert behind - closed == {"behind_survived", "wrong_value"}
    beside = {gate.name for gate in judge(dataclasses.replace(GOOD, boxes=(*GOOD.boxes, Box("a", "sidecar")))).gates}
    assert beside - closed == {"sidecar_survived", "connections"}
    limited = {gate.name for gate in judge(dataclasses.replace(GOOD, rate_limit_rps=9.0)).gates}
    assert limited - closed == {"limited"}
    routed = {gate.name for gate in judge(dataclasses.replace(GOOD, services_ok={"spmt-1": 1})).gates}
    assert routed - closed == {"routes"}
    limited |= routed | beside
    assert closed | opened | holding | before | behind | limited == {*INVALIDATING, *GENERATOR_SHORT, *SCHEDULE, *FLAGS}


FAILING: list[tuple[str, dict[str, Any], str]] = [
    ("completed", {"failure": "server did not answer within 30 s"}, "did not answer"),
    ("verification", {"verification_failures": ("split: the reply came in two lines",)}, "came in two lines"),
    ("model_shape", {"shape_mismatch": "spmt with 8 open connections has 1 process, found 2"}, "found 2"),
    ("server_survived", {"server_ended": "exit code 139"}, "139"),
    ("server_survived", {"workers_replaced": 2}, "2 of its workers died"),
    ("oom", {"oom_kills": 1}, "1 killed"),
    ("connection_tracking", {"packets_dropped": 7, "connection": "per-request"}, "7 packets dropped, the kernel's"),
    ("connection_tracking", {"packets_dropped": 7, "failed": 1}, "7 packets dropped, the kernel's table of 262144"),
    ("workers_present", {"workers_throughout": False}, "not all of 1"),
    ("replies", {"ok": 0, "service_time_mean_us": None, "service_time_max_us": None}, "0 verified replies"),
    ("wrong_echo", {"total_failures": {"bad_echo": 3}, "total_in_flight": 2}, "3 wrong"),
    ("conservation", {"sent": 10_001}, "10001 sent"),
    ("conservation", {"server_served": 10_021}, "10021 served"),
    ("conservation", {"server_served": 10_014}, "10014 served"),
    ("littles_law", {"service_time_mean_us": 10_800.0}, "8.64 users of 8"),
    ("littles_law", {"service_time_mean_us": 9_000.0}, "7.2 users of 8"),
    ("utilisation_law", {"cpu_used_s": 5.4}, "5.4 s CPU used"),
    ("utilisation_law", {"spin_us": 800.0}, "D = 0.8 ms"),
    ("utilisation_law", {"hash_us": 300.0}, "D = 0.8 ms"),
    ("utilisation_law", {"least_cpu_us": 800.0}, "D = 0.8 ms"),
]


def test_connections_that_were_there_before_the_table_was_full_are_not_harmed() -> None:
    assert judge(replace(GOOD, packets_dropped=7)).kind == "server-bound"


@pytest.mark.parametrize(("name", "changes", "found"), FAILING)
def test_exactly_one_validity_gate_fails_and_makes_the_trial_invalid(
    name: str, changes: dict[str, Any], found: str
) -> None:
    verdict = judge(replace(GOOD, **changes))
    assert verdict.failed == (name,)
    assert verdict.kind == "invalid"
    assert verdict.reasons[0].startswith(name)
    assert found in verdict.reasons[0]


@pytest.mark.parametrize(
    ("name", "base", "changes", "found"),
    [
        ("generator_cpu", GOOD, {"generator": failed_worker(cpu_used_s=7.1)}, "71% in load worker w2"),
        # A quarter of a core is all this worker may use.
        ("generator_cpu", GOOD, {"generator": failed_worker(cpu_limit=0.25)}, "80% in load worker w2"),
        ("generator_throttling", GOOD, {"generator": failed_worker(throttled_periods=2)}, "2.0% in load worker w2"),
        ("send_lag", replace(OPEN, **IDLE), {"dispatch_lag_p99_us": 5_001.0}, "p99 = 5 ms"),
        ("achieved_over_offered", replace(OPEN, **IDLE), {"achieved_over_offered": 0.979}, "97.9% achieved"),
    ],
)
def test_exactly_one_gate_of_the_generator_fails_and_makes_the_trial_client_bound(
    name: str, base: Evidence, changes: dict[str, Any], found: str
) -> None:
    assert judge(base).kind in ("server-bound", "not-saturated")
    verdict = judge(replace(base, **changes))
    assert verdict.failed == (name,)
    assert verdict.kind == "client-bound"
    assert found in verdict.reasons[0]


LONG = replace(WORKER, window_s=100.0)


@pytest.mark.parametrize(
    ("name", "base", "inside", "outside"),
    [
        # 5 % and the 60 ms of the longest cycle in 10 s: up to 8.448 users.
        ("littles_law", GOOD, {"service_time_mean_us": 10_540.0}, {"service_time_mean_us": 10_580.0}),
        ("utilisation_law", GOOD, {"cpu_used_s": 5.29}, {"cpu_used_s": 5.31}),  # 0.5 x 10.1 s + 5 %
        ("utilisation_law", GOOD, {"spin_us": 740.0}, {"spin_us": 750.0}),  # 0.495 CPUs + 20 % for 800/s
        (
            "generator_cpu",
            GOOD,
            {"generator": failed_worker(cpu_used_s=7.0)},
            {"generator": failed_worker(cpu_used_s=7.1)},
        ),
        (
            "generator_throttling",
            GOOD,
            {"generator": (replace(LONG, throttled_periods=10),)},
            {"generator": (replace(LONG, throttled_periods=11),)},
        ),
        ("send_lag", OPEN, {"dispatch_lag_p99_us": 5_000.0}, {"dispatch_lag_p99_us": 5_001.0}),
        ("achieved_over_offered", OPEN, {"achieved_over_offered": 0.98}, {"achieved_over_offered": 0.979}),
    ],
)
def test_a_gate_turns_at_its_threshold(
    name: str, base: Evidence, inside: dict[str, Any], outside: dict[str, Any]
) -> None:
    assert judge(replace(base, **inside)).failed == ()
    assert judge(replace(base, **outside)).failed == (name,)


@pytest.mark.parametrize("changes", [{"dispatch_lag_p99_us": 80_000.0}, {"achieved_over_offered": 0.5}])
def test_a_saturated_server_that_makes_requests_late_is_not_blamed_on_the_generator(changes: dict[str, Any]) -> None:
    verdict = judge(replace(OPEN, **changes))
    assert len(verdict.failed) == 1
    assert verdict.kind == "server-bound"


def test_an_open_loop_that_ran_out_of_users_says_so() -> None:
    busy = replace(OPEN, **IDLE, achieved_over_offered=0.8, users=8)
    assert "raise `load: users`" in judge(busy).reasons[-1]
    assert "raise" not in " ".join(judge(replace(busy, users=50)).reasons)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("steady_state", {"slice_ok": (600,) * 5 + (1_000,) * 5}),
        # One in a hundred, and one tick of the kernel's clock in a window of 10 s.
        ("disturbed", {"server_steal_share": 0.0111}),
        ("disturbed", {"generator_steal_share": 0.0111}),
        # What is known is enough to tell that it was.
        ("disturbed", {"server_steal_share": 0.0111, "generator_steal_share": None}),
        ("isolation", {"isolated": False}),
    ],
)
def test_a_flag_is_shown_and_changes_no_verdict(name: str, changes: dict[str, Any]) -> None:
    verdict = judge(replace(GOOD, **changes))
    assert verdict.failed == (name,)
    assert verdict.kind == "server-bound"
    assert verdict.reasons[-1].startswith(name)
    assert verdict.unsteady == (name == "steady_state")
    assert verdict.disturbed == (name == "disturbed")


MISSING: dict[str, dict[str, Any]] = {
    "verification": {"verification_failures": None},
    "model_shape": {"shape_mismatch": None},
    "server_survived": {"server_ended": None},
    "oom": {"oom_kills": None},
    "workers_present": {"workers_throughout": None},
    "wrong_echo": {"total_failures": None},
    "conservation": {"server_served": None},
    "littles_law": {"service_time_mean_us": None},
    "utilisation_law": {"cpu_used_s": None},
    "generator_cpu": {"generator": None},
    "generator_throttling": {"generator": (replace(WORKER, throttled_periods=None),)},
    "send_lag": {"dispatch_lag_p99_us": None},
    "achieved_over_offered": {"achieved_over_offered": None},
    "steady_state": {"slice_ok": None},
    "disturbed": {"generator_steal_share": None},
    "isolation": {"isolated": None},
}


@pytest.mark.parametrize("name", MISSING)
def test_missing_evidence_is_unknown_and_never_passes(name: str) -> None:
    base = OPEN if name in SCHEDULE else GOOD
    assert name in judge(replace(base, **MISSING[name])).unknown


@pytest.mark.parametrize(
    "changes",
    [{"other_replies": None}, {"sent": None}, {"total_in_flight": None}, {"total_ok": None}],
)
def test_conservation_is_unknown_with_any_count_missing(changes: dict[str, Any]) -> None:
    assert judge(replace(GOOD, **changes)).unknown == ("conservation",)


def test_one_unknown_worker_among_good_ones_is_unknown_but_a_bad_one_fails() -> None:
    blind = replace(WORKER, name="w2", cpu_used_s=None, throttled_periods=None)
    assert judge(replace(GOOD, generator=(WORKER, blind))).unknown == ("generator_cpu", "generator_throttling")
    bad = replace(WORKER, cpu_used_s=9.0, throttled_periods=50)
    assert judge(replace(GOOD, generator=(bad, blind))).failed == ("generator_cpu", "generator_throttling")


def test_no_evidence_at_all_is_an_invalid_trial_and_no_gate_passes() -> None:
    verdict = judge(Evidence("spmt", 1, 1, "closed", 8))
    assert verdict.kind == "invalid"
    assert verdict.failed == ("completed",)
    assert not [gate for gate in verdict.gates if gate.status == "pass"]


def test_precedence_is_invalid_then_client_then_server() -> None:
    starved = replace(GOOD, generator=(replace(WORKER, cpu_used_s=9.0),))
    assert judge(GOOD).kind == "server-bound"
    assert judge(starved).kind == "client-bound"
    assert judge(replace(starved, oom_kills=1)).kind == "invalid"


@pytest.mark.parametrize("found", [GOOD, OPEN, replace(GOOD, ok=None), Evidence("spst", 1, 1, "open", 1)])
def test_every_gate_says_in_one_line_what_was_found_and_what_is_allowed(found: Evidence) -> None:
    for gate in judge(found).gates:
        assert gate.found
        assert gate.allowed
        assert "\n" not in str(gate)
        assert "None" not in str(gate)
