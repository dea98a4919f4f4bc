"""What scaling was worth, from seconds of which everything is known, and from some of which it is not."""

from dataclasses import replace

import pytest

from testbed.scaling.assess import (
    Objective,
    Provisioning,
    Ranked,
    Restored,
    Second,
    Trigger,
    assess,
    holds,
    provisioning,
    rank_triggers,
)

GOAL = Objective(p99_us=50_000, for_s=3)
GOOD = Second(100, 100, 0, 0, 0, 20_000, supply=1, demand=1, reserved_cpus=0.5, used_cpus=0.25)
SLOW = replace(GOOD, late=40, p99_us=80_000, demand=2)
UNKNOWN = replace(GOOD, p99_us=None)


@pytest.mark.parametrize(
    ("second", "held"),
    [
        (GOOD, True),
        (replace(GOOD, p99_us=50_000), True),
        (replace(GOOD, p99_us=50_001), False),
        # Too few replies for a p99 say nothing.
        (UNKNOWN, None),
        # What failed or was never sent took forever: beyond 1 % the p99 of all is lost, whatever the p99 of the rest.
        (replace(GOOD, ok=99, failed=1), True),
        (replace(GOOD, ok=98, failed=2), False),
        (replace(GOOD, ok=98, missed=1, failed=1), False),
        (replace(UNKNOWN, ok=0, failed=100), False),
        (replace(GOOD, failed=None), None),
        (replace(SLOW, failed=None), False),
        (Second(), None),
        (Second(offered=0), True),
    ],
)
def test_a_second_holds_the_objective_breaks_it_or_is_not_known(second: Second, held: bool | None) -> None:
    assert holds(second, GOAL) is held


@pytest.mark.parametrize(
    ("seconds", "restored"),
    [
        ([GOOD] * 6, Restored("never broken", 0)),
        # A step needs some time to show: what holds before it does is no restoration.
        ([GOOD, GOOD, GOOD, SLOW, SLOW, GOOD, GOOD, GOOD], Restored("restored", 5)),
        ([SLOW, GOOD, GOOD, SLOW, GOOD, GOOD, GOOD, SLOW], Restored("restored", 4)),
        ([GOOD, SLOW, SLOW, GOOD, GOOD], Restored("not restored", None)),
        ([SLOW] * 5, Restored("not restored", None)),
        ([SLOW, UNKNOWN, GOOD, GOOD, GOOD], Restored("unknown", None)),
        ([SLOW, GOOD, GOOD, GOOD, UNKNOWN], Restored("restored", 1)),
        ([SLOW, GOOD, GOOD, UNKNOWN, SLOW], Restored("unknown", None)),
        ([GOOD, UNKNOWN, GOOD], Restored("unknown", None)),
        ([], Restored("unknown", None)),
    ],
)
def test_seconds_from_a_step_until_the_objective_holds_again(seconds: list[Second], restored: Restored) -> None:
    before = [SLOW, GOOD]
    found = assess([*before, *seconds], GOAL, steps_at=[2], actions=0)
    assert found.restored == (restored,)


def test_each_step_is_looked_at_until_the_next() -> None:
    seconds = [*[SLOW] * 2, *[GOOD] * 4, *[SLOW] * 3, *[GOOD] * 2]
    found = assess(seconds, GOAL, steps_at=[0, 6], actions=3)
    assert found.restored == (Restored("restored", 2), Restored("not restored", None))
    assert found.violation_s == 5
    assert found.actions == 3


def test_sums_over_the_window() -> None:
    found = assess([GOOD, SLOW, replace(GOOD, ok=90, failed=6, missed=4)], GOAL, [0], 1)
    assert (found.violation_s, found.violation_at_least_s, found.unknown_s) == (2, 2, 0)
    assert found.late_or_failed == 50
    assert (found.cpu_reserved_s, found.cpu_used_s) == (1.5, 0.75)
    assert found.provisioning == Provisioning(1 / 3, 0.0, 1 / 3, 0.0)


@pytest.mark.parametrize(
    ("lacks", "field", "others"),
    [
        ({"p99_us": None}, "violation_s", ("late_or_failed", "cpu_reserved_s", "cpu_used_s", "provisioning")),
        ({"late": None}, "late_or_failed", ("violation_s", "cpu_reserved_s", "cpu_used_s", "provisioning")),
        ({"reserved_cpus": None}, "cpu_reserved_s", ("violation_s", "late_or_failed", "cpu_used_s", "provisioning")),
        ({"used_cpus": None}, "cpu_used_s", ("violation_s", "late_or_failed", "cpu_reserved_s", "provisioning")),
        ({"demand": None}, "provisioning", ("violation_s", "late_or_failed", "cpu_reserved_s", "cpu_used_s")),
        ({"supply": None}, "provisioning", ("violation_s", "late_or_failed", "cpu_reserved_s", "cpu_used_s")),
    ],
)
def test_what_is_not_known_of_one_second_is_not_known_of_the_sum(
    lacks: dict[str, None], field: str, others: tuple[str, ...]
) -> None:
    found = assess([GOOD, SLOW, replace(GOOD, **lacks)], GOAL, [], 0)
    assert getattr(found, field) is None
    assert all(getattr(found, name) is not None for name in others)
    assert found.violation_at_least_s == 1
    assert found.unknown_s == (field == "violation_s")


@pytest.mark.parametrize(
    ("demand", "supply", "expected"),
    [
        ([2, 2, 2, 2], [2, 2, 2, 2], Provisioning(0, 0, 0, 0)),
        # Two of four seconds lack 1 and 2 of what there should be, one has 1 too much.
        ([2, 3, 4, 1], [2, 2, 2, 2], Provisioning(0.75, 0.25, 0.5, 0.25)),
        ([0.5, 0.5], [1.0, 0.25], Provisioning(0.125, 0.25, 0.5, 0.5)),
        ([], [], None),
        ([1, None], [1, 1], None),
    ],
)
def test_over_and_under_provisioning_are_those_of_bungee(
    demand: list[float | None], supply: list[float | None], expected: Provisioning | None
) -> None:
    assert provisioning(demand, supply) == expected


# --- triggers ---

RAMP = {
    "cpu": [0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.0, 1.0],
    "queue": [0, 0, 0, 0, 0, 3, 9, 30],
    "errors": [0, 0, 0, 0, 0, 0, 0, 0.2],
    "throttled": [0.0, 0.2, 0.3, 0.5, 0.6, 0.9, 1.0, 1.0],
    "in flight": [None, 1, 1, 2, 4, 9, 20, 50],
    "asleep": [0.0] * 8,
}
STEADY = {
    "cpu": [0.7, 0.7, 0.8, 0.7],
    "queue": [0, 0, 0, 0],
    "errors": [0, 0, 0, 0],
    "throttled": [0.4, 0.1, 0.5, 0.4],
    "in flight": [1, 1, 1, 1],
    "asleep": [0.0, None, 0.0, 0.0],
}
# The p99 breaks the objective in the seventh second.
HELD = [True] * 6 + [False] * 2
TRIGGERS = [
    Trigger("asleep", 0.5),
    Trigger("throttled", 0.3),
    Trigger("errors", 0.01),
    Trigger("in flight", 4),
    Trigger("queue", 1),
    Trigger("cpu", 0.8, for_s=2),
]


def test_triggers_are_ranked_by_false_alarms_and_then_by_their_lead() -> None:
    ranked = rank_triggers(TRIGGERS, RAMP.__getitem__, HELD, STEADY.__getitem__)
    assert ranked == [
        # Once in the four steady seconds it was at 0.8, and not for two of them.
        Ranked("cpu", fired=True, fired_at_s=4, lead_s=2, false_alarms=0, false_share=0.0),
        Ranked("queue", fired=True, fired_at_s=5, lead_s=1, false_alarms=0, false_share=0.0),
        # It came after the harm was done.
        Ranked("errors", fired=True, fired_at_s=7, lead_s=-1, false_alarms=0, false_share=0.0),
        # Its first reading is missing: it might have fired then.
        Ranked("in flight", fired=True, fired_at_s=None, lead_s=None, false_alarms=0, false_share=0.0),
        Ranked("throttled", fired=True, fired_at_s=2, lead_s=4, false_alarms=2, false_share=0.75),
        Ranked("asleep", fired=False, fired_at_s=None, lead_s=None, false_alarms=None, false_share=None),
    ]


@pytest.mark.parametrize("held", [[True] * 8, [True, None, True, True, True, True, False, False], [None] * 8])
def test_there_is_no_lead_to_what_did_not_break_or_is_not_known_to(held: list[bool | None]) -> None:
    ranked = rank_triggers([Trigger("cpu", 0.8)], RAMP.__getitem__, held, STEADY.__getitem__)
    assert ranked == [Ranked("cpu", fired=True, fired_at_s=3, lead_s=None, false_alarms=1, false_share=0.25)]


@pytest.mark.parametrize(("ramp", "fired"), [([0.1, 0.2], False), ([0.1, None], None), ([None, 0.9], True), ([], None)])
def test_that_a_trigger_did_not_fire_takes_all_its_readings(ramp: list[float | None], fired: bool | None) -> None:
    (ranked,) = rank_triggers([Trigger("cpu", 0.8)], lambda _: ramp, [True, False], lambda _: [0.1])
    assert ranked.fired is fired
