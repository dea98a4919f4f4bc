"""Each gate fails by itself and for its own reason, at its own threshold, and precedence is as documented."""

from typing import Any

import pytest

from testbed.judge import laws
from testbed.judge.verdict import (
    FLAGS,
    GENERATOR_SHORT,
    INVALIDATING,
    SCHEDULE,
    Box,
    Evidence,
    Thresholds,
    judge,
)
from tests.unit.testbed.judge.made import evidence, replace

T = Thresholds()

WORKER = Box("w1", "load worker", cpu_used_s=2.0, window_s=10.0, cpu_limit=None, throttled_periods=0)

# Eight users without think time on half a CPU: 800 replies a second, 9.95 ms each, the rest in the generator's hands.
GOOD = evidence(
    model="spmt",
    cpus=0.5,
    workers=2,
    threads=16,
    mode="closed",
    users=8,
    spin_us=500.0,
    isolated=True,
    machine_cpus=2,
    verification_failures=(),
    shape_mismatch="",
    workers_expected=1,
    workers_throughout=True,
    window_s=10.0,
    ok=8_000,
    failed=0,
    users_starved=0,
    service_time_mean_us=9_950.0,
    service_time_max_us=60_000.0,
    slice_ok=(800,) * 10,
    slice_p50_us=(9_900.0,) * 10,
    sent=10_000,
    total_ok=9_995,
    total_failures={"bad_echo": 0, "reset": 0, "connect": 0},
    total_in_flight=5,
    server_served=10_020,
    other_replies=20,
    generator=(WORKER,),
    server_steal_share=0.0,
    generator_steal_share=0.011,
    cpu_used_s=4.95,
    periods=100,
    throttled_periods=95,
    oom_kills=0,
    server_ended="",
    workers_replaced=0,
    packets_dropped=0,
    tracked_limit=262_144,
)
OPEN = replace(GOOD, mode="open", users=50, dispatch_lag_p99_us=900.0, achieved_over_offered=0.999)
# The same server with a limit it does not come near.
IDLE: dict[str, Any] = {"cpus": 4.0, "model": "mpst", "throttled_periods": 0}


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
    assert closed | opened | holding == {*INVALIDATING, *GENERATOR_SHORT, *SCHEDULE, *FLAGS}


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


# --- saturation ---


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"cpu_used_s": 4.5, "throttled_periods": 0}, "server-bound"),
        ({"cpu_used_s": 4.49, "throttled_periods": 0}, "not-saturated"),
        ({"cpu_used_s": 4.2, "throttled_periods": 50}, "server-bound"),
        ({"cpu_used_s": 4.2, "throttled_periods": 49}, "not-saturated"),
        # Ten busy periods, all throttled, in a window of a hundred: a server that mostly idles.
        ({"cpu_used_s": 4.2, "throttled_periods": 10, "periods": 10}, "not-saturated"),
        ({"cpu_used_s": None, "throttled_periods": None}, "not-saturated"),
        # One interpreter can use one of two CPUs, and did.
        ({"cpus": 2.0, "cpu_used_s": 9.5, "throttled_periods": 0}, "server-bound"),
        # Hashing releases the lock, so threads could have used the second CPU.
        (
            {"cpus": 2.0, "cpu_used_s": 9.5, "throttled_periods": 0, "spin_us": 0.0, "hash_us": 500.0},
            "not-saturated",
        ),
        # A single loop hashes on its one thread all the same.
        (
            {"model": "event-loop", "cpus": 2.0, "cpu_used_s": 9.5, "throttled_periods": 0, "hash_us": 500.0},
            "server-bound",
        ),
        # Processes have a lock each.
        ({"model": "mpst", "cpus": 2.0, "cpu_used_s": 9.5, "throttled_periods": 0}, "not-saturated"),
    ],
)
def test_a_server_is_saturated_by_the_cpu_it_can_use(changes: dict[str, Any], kind: str) -> None:
    assert judge(replace(GOOD, **changes)).kind == kind


SLEEPING = replace(
    GOOD,
    model="spst",
    cpus=1.0,
    connection="per-request",
    spin_us=0.0,
    sleep_us=5_000.0,
    ok=1_880,
    service_time_mean_us=42_500.0,
    slice_ok=(188,) * 10,
    cpu_used_s=0.5,
    throttled_periods=0,
)


def test_a_sequential_server_that_sleeps_is_bound_by_its_one_slot() -> None:
    verdict = judge(SLEEPING)
    assert (verdict.kind, verdict.failed) == ("server-bound", ())
    assert "busy 99% of the time" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"ok": 1_510, "service_time_mean_us": 52_900.0}, "server-bound"),  # 75.5 % asleep, 5 % computing
        ({"ok": 1_480, "service_time_mean_us": 54_000.0}, "not-saturated"),
        # Not more users than slots: the load is what is small.
        ({"model": "prefork", "workers": 8}, "not-saturated"),
        ({"model": "thread-pool", "threads": 7}, "not-saturated"),  # seven slots are busy a seventh of the time
        ({"model": "spmt"}, "not-saturated"),  # no limit of its own
    ],
)
def test_slots_are_busy_from_the_threshold_and_only_where_users_wait(changes: dict[str, Any], kind: str) -> None:
    assert judge(replace(SLEEPING, **changes)).kind == kind


def test_a_pool_whose_slots_are_held_by_connections_while_users_starve_is_bound_by_its_slots() -> None:
    held = replace(
        GOOD, model="prefork", cpus=1.0, workers=2, users_starved=6, service_time_mean_us=2_450.0, throttled_periods=0
    )
    verdict = judge(held)
    assert (verdict.kind, verdict.failed) == ("server-bound", ())
    assert "2 of 8 users hold it, 6 only wait" in verdict.reasons[0]
    assert judge(replace(held, model="spmt", cpus=4.0)).kind == "not-saturated"


def test_users_who_meet_at_one_worker_starve_while_another_has_none() -> None:
    """Each worker's socket has a queue of its own: four users of eight workers, of whom two came to the same."""
    idle = {"cpus": 8.0, "cpu_used_s": 4.0, "throttled_periods": 0, "workers": 8, "users": 4}
    met = replace(GOOD, model="prefork-reuseport", users_starved=1, service_time_mean_us=3_700.0, **idle)
    verdict = judge(met)
    assert (verdict.kind, verdict.failed) == ("server-bound", ())
    assert "serves 8 at once: 3 of 4 users hold it, 1 only wait" in verdict.reasons[0]
    assert judge(replace(met, users_starved=0, service_time_mean_us=4_950.0)).kind == "not-saturated"
    # Where all share one queue nobody starves beside an idle worker: nothing that slots explain.
    assert judge(replace(met, model="prefork")).kind == "not-saturated"


def test_server_and_generator_that_fill_a_shared_machine_are_client_bound() -> None:
    shared = replace(GOOD, model="mpst", isolated=False, machine_cpus=1, cpus=1.0, throttled_periods=0, cpu_used_s=6.0)
    full = replace(shared, generator=(replace(WORKER, cpu_used_s=3.1),))
    assert judge(shared).kind == "not-saturated"
    assert judge(full).kind == "client-bound"
    assert "together used 0.91 of 1 CPUs" in judge(full).reasons[0]
    assert judge(replace(full, isolated=True)).kind == "not-saturated"


# --- conservation ---


@pytest.mark.parametrize(
    ("failures", "served", "passes"),
    [
        ({}, 115, True),
        ({}, 118, True),
        ({}, 114, False),
        ({}, 119, False),
        ({"timeout": 4}, 122, True),
        ({"timeout": 4}, 123, False),
        ({"connect": 4}, 118, True),
        ({"connect": 4}, 119, False),
    ],
)
def test_the_server_may_have_served_what_was_in_flight_or_failed_but_not_what_never_reached_it(
    failures: dict[str, int], served: int, passes: bool
) -> None:
    found = replace(
        GOOD,
        sent=103 + sum(failures.values()),
        total_ok=100,
        total_in_flight=3,
        total_failures=failures,
        other_replies=15,
        server_served=served,
    )
    assert ("conservation" not in judge(found).failed) == passes


# --- utilisation ---


def test_the_demand_is_held_against_the_cpus_that_can_run_it() -> None:
    # Two CPUs' worth of work that holds the one lock of a thread-per-connection server.
    over = {"cpus": 4.0, "cpu_used_s": 16.0, "throttled_periods": 0, "spin_us": 2_000.0}
    assert "utilisation_law" in judge(replace(GOOD, **over)).failed
    assert "utilisation_law" not in judge(replace(GOOD, **over, model="mpst")).failed


def test_a_counter_that_is_missing_still_leaves_the_limit_to_hold_the_demand_against() -> None:
    blind = replace(GOOD, cpu_used_s=None)
    assert "utilisation_law" in judge(blind).unknown
    assert "utilisation_law" in judge(replace(blind, spin_us=900.0)).failed


def test_a_window_shorter_than_a_quota_period_may_spend_a_whole_quota() -> None:
    assert laws.utilisation_law(replace(GOOD, window_s=0.1, ok=20, cpu_used_s=0.1), T).status == "pass"
