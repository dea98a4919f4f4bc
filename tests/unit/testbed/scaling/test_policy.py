"""The law gives what Kubernetes' autoscaler gives: the cases that its own tests publish, and what is ours beside them.

Sources: kubernetes `pkg/controller/podautoscaler/replica_calculator_test.go` (its functions' names stand beside each
case, without TestReplicaCalc) and `horizontal_test.go` (TestNormalizeDesiredReplicas). Its CPU cases are shares of a
request of 1 here, its milli-values whole numbers. Left out: requests that differ from pod to pod, metrics of unknown
pods, errors of its API, since replicas here are alike and read by name.
"""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.plan.scaling import Change, Law, Planned, Step
from testbed.scaling.policy import Growth, Readings, Replica, State, Wish, due, policy


def law(on: str = "cpu", target: float = 0.6, low: float = 1, high: float = 1_000, **more: object) -> Law:
    return Law(
        **{"change": "replicas", "on": on, "target": target, "low": low, "high": high, "down_after_us": 0} | more
    )  # type: ignore[arg-type]


def of_shares(*shares: float | None, unready: tuple[int, ...] = (), at_s: float = 0.0) -> Readings:
    replicas = (Replica(f"spmt-{n + 1}", share, n not in unready) for n, share in enumerate(shares))
    return Readings(at_s, tuple(replicas))


def of_whole(whole: float | None, count: int, unready: tuple[int, ...] = (), at_s: float = 0.0) -> Readings:
    return Readings(at_s, tuple(Replica(f"spmt-{n + 1}", None, n not in unready) for n in range(count)), whole)


PUBLISHED_SHARES = {
    "ScaleUp": (3, 0.3, (0.3, 0.5, 0.7), (), 5),
    "ScaleUpUnreadyLessScale, ScaleUpHotCpuLessScale": (3, 0.3, (0.3, 0.5, 0.7), (0,), 4),
    "ScaleUpUnreadyNoScale, ScaleHotCpuNoScale": (3, 0.3, (0.4, 0.5, 0.7), (1, 2), 3),
    "ScaleUpIgnoresFailedPods, ScaleUpIgnoresDeletionPods": (2, 0.3, (0.5, 0.7), (), 4),
    "ScaleDown, ScaleDownIgnoresFailedPods, ScaleDownIgnoresDeletionPods": (5, 0.5, (0.1, 0.3, 0.5, 0.25, 0.25), (), 3),
    "ScaleDownIncludeUnreadyPods, ScaleDownIgnoreHotCpuPods": (5, 0.5, (0.1, 0.3, 0.5, 0.25, 0.25), (3, 4), 2),
    "Tolerance": (3, 1.0, (1.01, 1.03, 1.02), (), 3),
    "SuperfluousMetrics": (4, 1.0, (4.0, 9.5, 3.0, 7.0), (), 24),
    "MissingMetrics": (4, 1.0, (0.4, 0.095, None, None), (), 3),
    "MissingMetricsNoChangeEq": (2, 1.0, (1.0, None), (), 2),
    "MissingMetricsNoChangeGt": (2, 1.0, (1.9, None), (), 2),
    "MissingMetricsNoChangeLt": (2, 1.0, (0.6, None), (), 2),
    "MissingMetricsUnreadyChange, MissingMetricsHotCpuNoChange": (3, 0.5, (0.1, 0.45, None), (0,), 3),
    "MissingMetricsUnreadyScaleUp, MissingMetricsHotCpuScaleUp": (3, 0.5, (0.1, 2.0, None), (0,), 4),
    "MissingMetricsUnreadyScaleDown": (4, 0.5, (0.1, 0.1, 0.1, None), (0,), 3),
    "DuringRollingUpdateWithMaxSurge": (2, 0.5, (0.1, 0.1, None), (), 2),
    "ComputedToleranceAlgImplementation, beyond the tolerance": (10, 0.56, (0.5,) * 10, (), 9),
    "ComputedToleranceAlgImplementation, within": (10, 0.55, (0.5,) * 10, (), 10),
}


@pytest.mark.parametrize(
    ("now", "target", "shares", "unready", "expected"), PUBLISHED_SHARES.values(), ids=PUBLISHED_SHARES
)
def test_shares_give_what_its_calculator_gives(
    now: int, target: float, shares: tuple[float | None, ...], unready: tuple[int, ...], expected: int
) -> None:
    assert policy(law(target=target), of_shares(*shares, unready=unready), State(now)).amount == expected


def test_a_starting_replicas_memory_counts_as_it_is() -> None:
    """`groupPods`: only of the CPU a pod that is not ready is left out."""
    readings = of_shares(0.3, 0.5, 0.7, unready=(0,))
    assert policy(law("memory", 0.3), readings, State(3)).amount == 5
    assert policy(law("cpu", 0.3), readings, State(3)).amount == 4


# How many wait is a metric of all replicas with a target for each; sums stand for the values of each.
PUBLISHED_QUEUES = {
    "ScaleUpCM": (3, 15, 60, 4),
    "ScaleUpCMUnreadyHotCpuNoLessScale": (3, 15, 90, 6),
    "ScaleUpCMUnreadyHotCpuScaleWouldScaleDown": (3, 15, 95, 7),
    "ScaleUpCMPerPodObject": (3, 5, 20, 4),
    "ScaleUpPerPodCMExternal": (3, 2.15, 8.6, 4),
    "ScaleDownCM": (5, 20, 60, 3),
    "ScaleDownPerPodCMObject": (5, 2, 6, 3),
    "ScaleDownPerPodCMExternal": (5, 2.867, 8.6, 3),
    "ToleranceCM": (3, 20, 62, 3),
    "TolerancePerPodCMObject": (4, 5, 20.166, 4),
    "TolerancePerPodCMExternal": (3, 2.9, 8.6, 3),
}


@pytest.mark.parametrize(("now", "target", "waiting", "expected"), PUBLISHED_QUEUES.values(), ids=PUBLISHED_QUEUES)
def test_a_sum_with_a_target_for_each_gives_what_its_calculator_gives(
    now: int, target: float, waiting: float, expected: int
) -> None:
    assert policy(law("queue", target), of_whole(waiting, now), State(now)).amount == expected


PUBLISHED_VALUES = {
    "ScaleUpCMObject": (3, 15, 20, (), 4),
    "ScaleUpCMObjectIgnoresUnreadyPods": (3, 10, 50, (0, 2), 5),
    "ScaleUpCMExternal, ScaleUpCMExternalNoLabels": (1, 4.4, 8.6, (), 2),
    "ScaleUpCMExternalIgnoresUnreadyPods": (3, 4.4, 8.6, (0, 2), 2),
    "ScaleDownCMObject": (5, 20, 12, (), 3),
    "ScaleDownCMExternal": (5, 14.334, 8.6, (), 3),
    "ToleranceCMObject": (3, 20, 20.666, (), 3),
    "ToleranceCMExternal": (3, 8.888, 8.6, (), 3),
}


@pytest.mark.parametrize(
    ("now", "target", "value", "unready", "expected"), PUBLISHED_VALUES.values(), ids=PUBLISHED_VALUES
)
@pytest.mark.parametrize("on", ["latency", "errors"])
def test_a_value_of_all_gives_what_its_calculator_gives(
    on: str, now: int, target: float, value: float, unready: tuple[int, ...], expected: int
) -> None:
    assert policy(law(on, target), of_whole(value, now, unready), State(now)).amount == expected


# Wishes with their age in minutes; a window of five; what the readings ask for; what becomes of it; how many are kept.
PUBLISHED_WINDOWS = {
    "empty log": ((), 3, 5, 5),
    "stabilize": (((4, 2), (5, 1)), 5, 3, 5),
    "no stabilize": (((1, 2), (2, 1)), 3, 3, 3),
    "no stabilize - old recommendations": (((10, 10), (9, 9)), 5, 3, 3),
    "stabilize - old recommendations": (((10, 10), (9, 9), (5, 2), (4, 1)), 5, 3, 5),
}


@pytest.mark.parametrize(("wishes", "now", "wanted", "expected"), PUBLISHED_WINDOWS.values(), ids=PUBLISHED_WINDOWS)
def test_less_is_done_when_nothing_in_the_window_asked_for_more(
    wishes: tuple[tuple[int, int], ...], now: int, wanted: int, expected: int
) -> None:
    five_minutes = law("queue", 1, down_after_us=300_000_000)
    at_s = 3_600.0
    state = State(now, tuple(Wish(at_s - 60 * age, amount) for amount, age in wishes))
    decision = policy(five_minutes, of_whole(wanted, now, at_s=at_s), state)
    assert decision.amount == expected
    recent = [Wish(at_s - 60 * age, amount) for amount, age in wishes if age < 5]
    assert decision.state == State(expected, (*recent, Wish(at_s, wanted)))


def test_more_is_done_when_everything_in_the_window_asked_for_it() -> None:
    """`stabilizeRecommendationWithBehaviors`: the least of the up window."""
    slow = law("queue", 1, up_after_us=10_000_000, down_after_us=0)
    state = State(2, (Wish(0.0, 2), Wish(5.0, 4)))
    held = policy(slow, of_whole(6, 2, at_s=9.0), state)
    assert (held.amount, held.changes) == (2, False)
    assert "2 by what was asked for in the last 10 s" in held.reason
    assert policy(slow, of_whole(6, 2, at_s=10.0), state).amount == 4
    assert policy(slow, of_whole(6, 2, at_s=15.1), state).amount == 6


def test_it_comes_down_once_the_window_is_over_and_not_before() -> None:
    rule, state, amounts = law("queue", 1, down_after_us=4_000_000), State(1), []
    for second, waiting in enumerate([4, 1, 1, 1, 1, 1]):
        decision = policy(rule, of_whole(waiting, int(state.now), at_s=float(second)), state)
        amounts.append(decision.amount)
        state = decision.state
    assert amounts == [4, 4, 4, 4, 1, 1]
    assert len(state.wishes) <= 5


# --- bounds and reasons ---


def test_a_decision_says_its_reason_in_one_line() -> None:
    decision = policy(law(high=4), of_shares(0.93, 0.93), State(2))
    assert (decision.amount, decision.changes) == (4, True)
    assert decision.reason == "cpu 0.93 of target 0.60 x 2 replicas: 4"
    bounded = policy(law(high=3), of_shares(0.93, 0.93), State(2))
    assert bounded.amount == 3
    assert bounded.reason == "cpu 0.93 of target 0.60 x 2 replicas: 4; bounded by max 3"
    at_least = policy(law(low=2), of_shares(0.0, 0.0, 0.0), State(3))
    assert at_least.reason == "cpu 0.00 of target 0.60 x 3 replicas: 0; bounded by min 2"
    starting = policy(law(target=0.3), of_shares(0.3, 0.5, 0.7, unready=(0,)), State(3))
    assert starting.reason == "cpu 0.60 of target 0.30 x 2 replicas, 1 not read or not ready: 4"
    assert (
        policy(law("latency", 20_000), of_whole(45_000, 1), State(1)).reason
        == "latency 45 ms of target 20 ms x 1 ready: 3"
    )
    assert policy(law("queue", 4), of_whole(9, 2), State(2)).reason == "queue 9 of target 4 x 2 replicas: 3"


@pytest.mark.parametrize(
    ("on", "readings"),
    [
        ("cpu", of_shares(None, None)),
        ("cpu", of_shares(0.9, 0.9, unready=(0, 1))),
        ("cpu", Readings(0.0, ())),
        ("queue", of_whole(None, 2)),
        ("latency", of_whole(None, 2)),
        ("latency", of_whole(9e9, 2, unready=(0, 1))),
    ],
)
def test_without_a_reading_nothing_changes_and_that_is_said(on: str, readings: Readings) -> None:
    state = State(2, (Wish(-1.0, 3),))
    decision = policy(law(on, 0.5), readings, state)
    assert (decision.amount, decision.changes, decision.state) == (2, False, state)
    assert decision.reason == f"{on}: no reading of any replica that is ready; stays at 2"


@pytest.mark.parametrize(("share", "expected"), [(0.66, 10), (0.67, 12), (0.54, 10), (0.53, 9)])
def test_the_edge_of_the_tolerance_is_within_it(share: float, expected: int) -> None:
    assert policy(law(), of_shares(*[share] * 10), State(10)).amount == expected


def test_a_share_cannot_ask_for_more_than_its_inverse_and_a_queue_can() -> None:
    assert policy(law(high=100), of_shares(*[1.0] * 6), State(6)).amount == 10
    assert policy(law("queue", 2, high=100), of_whole(200, 6), State(6)).amount == 100


# --- CPUs instead of replicas ---


@pytest.mark.parametrize(
    ("now", "share", "expected"),
    [
        (0.5, 0.9, 0.75),
        (0.5, 0.3, 0.25),
        (0.5, 0.62, 0.5),
        (0.3, 1.0, 0.5),
        # Up to the next hundredth: what the kernel can tell apart.
        (0.31, 0.7, 0.37),
        (1.5, 1.0, 2.0),
        (0.25, 0.01, 0.1),
    ],
)
def test_cpus_follow_the_same_law_without_whole_numbers(now: float, share: float, expected: float) -> None:
    rule = law(change="cpus", low=0.1, high=2)
    assert policy(rule, of_shares(share, share), State(now)).amount == pytest.approx(expected, abs=1e-12)


def test_cpus_are_said_as_such() -> None:
    decision = policy(law(change="cpus", low=0.1, high=2), of_shares(0.9), State(0.5))
    assert decision.reason == "cpu 0.90 of target 0.60 x 1 replica: 0.75 CPUs"


# --- set steps ---


@pytest.mark.parametrize(
    ("after_s", "until_s", "to"),
    [(-1, 0, 1), (0, 9.9, None), (9.9, 10, 2), (10, 11, None), (9, 30, 3), (20, 99, None)],
)
def test_a_step_comes_due_once(after_s: float, until_s: float, to: float | None) -> None:
    planned = Planned("replicas", (Step(0, 1), Step(10_000_000, 2), Step(20_000_000, 3)))
    step = due(planned, after_s, until_s)
    assert (step.to if step else None) == to


# --- what is expected ---


def test_what_is_expected_adds_and_never_takes() -> None:
    rule, readings, state = law(high=8), of_shares(0.9, 0.9), State(2)
    assert policy(rule, readings, state).amount == 3
    more = policy(rule, readings, state, Growth(2.0, "holt-winters: 2.00 times in 8 s"))
    assert more.amount == 6
    assert more.reason == "cpu 0.90 of target 0.60 x 2 replicas: 3; holt-winters: 2.00 times in 8 s: 6"
    less = policy(rule, readings, state, Growth(0.2, "holt-winters: 0.20 times in 8 s"))
    assert less.amount == 3
    assert less.reason.endswith("holt-winters: 0.20 times in 8 s: 1 (less than is needed now)")
    unknown = policy(rule, readings, state, Growth(None, "9 s of 120 s are known"))
    assert unknown.amount == 3
    assert unknown.reason.endswith("3; no forecast: 9 s of 120 s are known")


@given(
    st.sampled_from((*get_args(Change)[:1], "replicas")),
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=6),
    st.floats(0, 10),
)
def test_it_is_never_less_than_without_a_forecast_and_always_within_bounds(
    change: str, shares: list[float | None], factor: float
) -> None:
    rule, state = law(change=change, low=1, high=4), State(min(4, len(shares)))
    alone = policy(rule, of_shares(*shares), state)
    both = policy(rule, of_shares(*shares), state, Growth(factor, "so much"))
    assert 1 <= alone.amount <= both.amount <= 4


# --- in a loop, with replicas that each bear 100 requests/s and serve one decision after they are asked for ---


def counts(load: list[float], rule: Law) -> list[int]:
    """How many replicas there are at each decision."""
    state, starting, found = State(1), 0, []
    for turn, rate in enumerate(load):
        count = int(state.now)
        serving = count - starting
        share = min(1.0, rate / (100 * serving))
        shares = [share] * serving + [0.9] * starting
        unready = tuple(range(serving, count))
        decision = policy(rule, of_shares(*shares, unready=unready, at_s=2.0 * turn), state)
        starting = max(0, int(decision.amount) - count)
        state = decision.state
        found.append(int(decision.amount))
    return found


def test_after_a_step_it_comes_to_what_the_load_needs_and_stays_there() -> None:
    rule = law(high=16, down_after_us=20_000_000)
    found = counts([50.0] * 5 + [350.0] * 30 + [50.0] * 20, rule)
    # 350/s need 5.83 at 60 % each. On the way each decision sees a share of 1, and starting replicas count nothing.
    assert found[:5] == [1] * 5
    assert found[5:12] == [2, 2, 4, 4, 6, 6, 6]
    assert set(found[12:35]) == {6}
    # Ten decisions long nothing is taken away, then all of it.
    assert found[35:44] == [6] * 9
    assert found[-1] == 1
