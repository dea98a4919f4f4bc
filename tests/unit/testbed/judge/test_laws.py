"""Laws that a trial has to keep: of Little, of utilisation, and that no request is lost or made up."""

import heapq
import random
from dataclasses import dataclass
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.laws import littles_law, utilisation_law
from testbed.judge.verdict import judge
from tests.unit.testbed.judge.made import GOOD, evidence, replace

T = Thresholds()


@dataclass(frozen=True)
class Load:
    users: int
    slots: int
    service_s: float
    spread: str
    think_s: float
    gap_s: float
    window_s: float
    seed: int


def worker(cpu_used_s: float, window_s: float, cpu_limit: float | None, throttled_periods: int) -> Box:
    return Box(
        "w",
        "load worker",
        cpu_limit=cpu_limit,
        window_s=window_s,
        cpu_used_s=cpu_used_s,
        throttled_periods=throttled_periods,
    )


def simulate(load: Load, keep: float = 1.0) -> Evidence:
    """Users of one worker against `slots` first-come-first-served slots, all starting at once; one second of warm-up.

    The worker is one thread: it takes a reply when it is free, and spends `gap_s` on it before the next send or pause.
    `keep` is the share of replies that are counted.
    """
    rng = random.Random(load.seed)
    opens, closes = 1.0, 1.0 + load.window_s
    slots = [0.0] * load.slots
    # What the worker has to see to: when, which user, and whether a reply came (else a pause is over).
    events = [(0.0, user, False) for user in range(load.users)]
    sent = [0.0] * load.users
    worker_free = worker_busy = 0.0
    counted: list[float] = []
    answered: set[int] = set()
    while events:
        at, user, is_reply = heapq.heappop(events)
        now = max(at, worker_free)
        if now >= closes:
            continue
        if is_reply:
            if now >= opens:
                answered.add(user)
                worker_busy += load.gap_s
                if rng.random() < keep:
                    counted.append(now - sent[user])
            worker_free = now = now + load.gap_s
            if load.think_s:
                heapq.heappush(events, (now + load.think_s, user, False))
                continue
        sent[user] = now
        service = load.service_s if load.spread == "constant" else rng.expovariate(1 / load.service_s)
        if load.spread == "bimodal":
            service = load.service_s * (20 if rng.random() < 0.05 else 0.2)
        done = max(now, heapq.heappop(slots)) + service
        heapq.heappush(slots, done)
        heapq.heappush(events, (done, user, True))
    return evidence(
        model="spmt",
        cpus=1.0,
        workers=1,
        threads=1,
        mode="closed",
        users=load.users,
        connection="per-request",
        think_us=load.think_s * 1e6,
        isolated=True,
        window_s=load.window_s,
        ok=len(counted),
        failed=0,
        users_starved=load.users - len(answered),
        service_time_mean_us=fmean(counted) * 1e6 if counted else None,
        service_time_max_us=max(counted) * 1e6 if counted else None,
        generator=(worker(worker_busy, load.window_s, None, 0),),
    )


loads = st.builds(
    Load,
    users=st.integers(1, 64),
    slots=st.sampled_from([1, 2, 8, 64]),
    service_s=st.sampled_from([0.0005, 0.002, 0.02]),
    spread=st.sampled_from(["constant", "exponential", "bimodal"]),
    think_s=st.sampled_from([0.0, 0.01, 0.5]),
    gap_s=st.sampled_from([0.0, 0.00005, 0.0002]),
    window_s=st.sampled_from([1.0, 2.0, 4.0]),
    seed=st.integers(0, 2**32),
)


# Services are short against the window: a request longer than it is in no sample, and its user's absence unexplained.
@settings(max_examples=100, deadline=None, derandomize=True)
@given(loads)
def test_no_honest_closed_loop_is_called_a_violation(load: Load) -> None:
    gate = littles_law(simulate(load), T)
    assert gate is not None
    assert gate.status != "fail", str(gate)


def test_the_law_is_decided_for_ordinary_windows() -> None:
    ordinary = Load(8, 64, 0.005, "exponential", 0.0, 0.0001, 10.0, 1)
    gate = littles_law(simulate(ordinary), T)
    assert gate is not None
    assert gate.status == "pass"


@pytest.mark.parametrize("keep", [0.5, 0.8])
@pytest.mark.parametrize("think_s", [0.0, 0.05])
def test_samples_that_got_lost_break_the_law(keep: float, think_s: float) -> None:
    gate = littles_law(simulate(Load(16, 64, 0.01, "exponential", think_s, 0.00005, 10.0, 3), keep), T)
    assert gate is not None
    assert gate.status == "fail"


EVIDENCE = simulate(Load(8, 64, 0.01, "constant", 0.0, 0.0, 10.0, 1))


def status(**changes: object) -> str:
    gate = littles_law(replace(EVIDENCE, **changes), T)
    assert gate is not None
    return gate.status


def test_a_window_counted_too_short_breaks_the_law() -> None:
    assert status() == "pass"
    assert status(window_s=9.0) == "fail"


def test_starved_users_of_a_model_whose_slots_are_held_for_good_are_not_in_the_system() -> None:
    pool = {"model": "prefork", "workers": 8, "connection": "persistent", "users": 64}
    assert status(**pool, users_starved=56) == "pass"
    assert status(**pool, users_starved=57) == "fail"
    assert status(**pool, users_starved=55) == "fail"


def test_users_that_came_late_count_by_their_share_of_the_window() -> None:
    users = EVIDENCE.users
    assert status(users=users + 4) == "fail"
    assert status(users=users + 4, users_absent=4.0) == "pass"
    assert status(users_absent=4.0) == "fail"


def test_starved_users_where_turns_change_hands_leave_too_few_cycles_to_tell() -> None:
    assert status(users=64, users_starved=56) == "unknown"
    assert (
        status(users=64, users_starved=56, connection="persistent") == "unknown"
    )  # no limit of its own holds them off


def test_think_time_is_part_of_the_cycle_and_ends_late_by_a_timers_slack() -> None:
    late = simulate(Load(16, 64, 0.002, "constant", 0.0108, 0.0, 10.0, 1))
    assert littles_law(replace(late, think_us=10_000.0), T).status == "pass"
    assert littles_law(replace(late, think_us=8_000.0), T).status == "fail"


def test_pauses_may_end_one_millisecond_late_and_no_more() -> None:
    # 8 users at 800/s with 5 ms of pause: 5 % and the longest cycle leave 7.59, the timers of 800 pauses 0.8 less.
    paused = {"ok": 8_000, "think_us": 5_000.0, "service_time_max_us": 10_000.0}
    assert status(**paused, service_time_mean_us=3_600.0) == "pass"
    assert status(**paused, service_time_mean_us=3_400.0) == "fail"


def test_edges_may_cut_up_to_a_quarter_of_the_window() -> None:
    assert status(service_time_max_us=2_490_000.0) == "pass"
    assert status(service_time_max_us=2_510_000.0) == "unknown"


def test_a_user_in_its_workers_hands_is_not_missing() -> None:
    short = {"service_time_mean_us": 6_000.0, "users": 1, "ok": 1_000}  # 0.6 of one user
    free, busy = (worker(used, 10.0, None, 0) for used in (0.5, 4.0))
    assert status(**short, generator=(busy,)) == "pass"
    assert status(**short, generator=(free,)) == "fail"
    # A worker that was made to stand still held its user for longer than it computed.
    assert status(**short, generator=(replace(free, throttled_periods=1),)) == "pass"
    assert status(**short, generator=(free,), isolated=False) == "pass"
    assert status(**short, generator=None, workers_expected=None) == "unknown"


def test_pauses_that_a_generator_short_of_cpu_cannot_keep_are_its_fault_and_no_bookkeeping_error() -> None:
    overslept = {"think_us": 10_000.0, "service_time_mean_us": 1_000.0, "ok": 5_000}  # 5.5 of 8 users
    assert status(**overslept) == "fail"
    assert status(**overslept, generator=(worker(9.5, 10.0, None, 0),)) == "unknown"
    assert status(**overslept, generator=(worker(1.0, 10.0, 0.1, 90),)) == "unknown"


def test_failures_excuse_users_that_are_missing_but_not_users_too_many() -> None:
    assert status(service_time_mean_us=5_000.0, failed=3) == "unknown"
    assert status(service_time_mean_us=5_000.0) == "fail"
    assert status(service_time_mean_us=12_000.0, failed=3) == "fail"


@pytest.mark.parametrize(
    "changes",
    [
        {"users_starved": 8},
        {"users_starved": None},
        {"ok": 20, "service_time_mean_us": 3_900_000.0, "service_time_max_us": 5_000_000.0},
        {"ok": 20, "service_time_mean_us": 3_900_000.0, "service_time_max_us": None},
        {"service_time_max_us": None},
    ],
)
def test_without_enough_cycles_or_counts_the_law_says_unknown(changes: dict[str, object]) -> None:
    assert status(**changes) == "unknown"


def test_an_open_loop_has_no_fixed_number_of_users_to_hold_it_against() -> None:
    assert littles_law(replace(EVIDENCE, mode="open"), T) is None


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
    assert utilisation_law(replace(GOOD, window_s=0.1, ok=20, cpu_used_s=0.1), T).status == "pass"
