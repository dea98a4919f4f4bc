"""What stands behind the servers: when it is what was full, and what is counted of it."""

import dataclasses
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.judge.verdict import judge
from tests.unit.testbed.judge.made_fronts import fronted, gate
from tests.unit.testbed.judge.test_boxes import FIRST, SECOND, TWICE
from tests.unit.testbed.judge.test_verdict import GOOD

STORE = Box(
    "standby-1",
    "store",
    cpu_limit=0.25,
    cpu_used_s=1.0,
    periods=100,
    throttled_periods=0,
    steal_share=0.0,
    oom_kills=0,
    ended="",
    connection_limit=100,
    open_max=9,
    queue_max=0,
)
PRIMARY = dataclasses.replace(STORE, name="postgres")
CONSUMER = dataclasses.replace(STORE, name="consumer-1", role="consumer", connection_limit=None, queue_max=None)


def backed(store: dict[str, Any] | None = None, **of_trial: Any) -> Evidence:
    """Two servers that share the load of GOOD, a primary, a standby of which something is changed, and a consumer."""
    boxes = (PRIMARY, dataclasses.replace(STORE, **(store or {})), CONSUMER, FIRST, SECOND, *GOOD.generator)
    return dataclasses.replace(GOOD, **{**TWICE, "boxes": boxes, **of_trial})


def test_parts_with_room_behind_a_server_with_room_pass_every_gate() -> None:
    verdict = judge(backed())
    assert (verdict.kind, verdict.failed, verdict.unknown) == ("not-saturated", (), ())
    assert verdict.reasons[1:] == tuple(
        f"{name} used 0.1 of 0.25 CPUs" for name in ("postgres", "standby-1", "consumer-1")
    )


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ({"cpu_used_s": 2.25}, "standby-1 used 90% of the 0.25 CPUs; saturated from 90%"),
        ({"cpu_used_s": 2.24}, ""),
        ({"throttled_periods": 50}, "standby-1 was throttled in 50% of its quota periods; saturated from 50%"),
        ({"open_max": 100}, "standby-1 had all 100 connections open that it may have"),
        ({"open_max": 99}, ""),
        ({"queue_max": 3}, "3 clients waited in standby-1 for a connection"),
        ({"cpu_used_s": None, "throttled_periods": None, "open_max": None, "queue_max": None}, ""),
    ],
)
def test_a_part_is_full_by_its_cpu_or_its_connections_and_is_named(store: dict[str, Any], says: str) -> None:
    verdict = judge(backed(store))
    assert (verdict.kind, verdict.reasons) == ("backend-bound", (says,)) if says else verdict.kind == "not-saturated"


def test_it_comes_after_the_front_and_before_the_servers() -> None:
    full = dataclasses.replace(STORE, throttled_periods=95)
    busy_server = fronted(second={"throttled_periods": 95})
    with_store = dataclasses.replace(busy_server, boxes=(full, *busy_server.boxes))
    verdict = judge(with_store)
    assert verdict.kind == "backend-bound"
    assert [reason.split(" was ")[0] for reason in verdict.reasons][:2] == ["standby-1", "the server spmt-2"]
    both = fronted({"throttled_periods": 95})
    assert judge(dataclasses.replace(both, boxes=(full, *both.boxes))).kind == "front-bound"
    transient = judge(backed({"throttled_periods": 95}, transient=True))
    assert transient.kind == "transient"
    assert transient.reasons[1].startswith("standby-1 was throttled")


@pytest.mark.parametrize(
    ("name", "store", "status", "found"),
    [
        ("behind_survived", {}, "pass", "lived"),
        ("behind_survived", {"ended": "standby-1 ended: exit code 1"}, "fail", "standby-1 ended: exit code 1"),
        ("behind_survived", {"ended": "killed", "removed": True}, "pass", "lived"),
        ("behind_survived", {"ended": None}, "unknown", "not known: the container's state"),
        ("oom", {"oom_kills": 1}, "fail", "standby-1: 1 killed"),
        ("utilisation_law", {"cpu_used_s": 2.66}, "fail", "standby-1: 2.66 s CPU used in 10 s"),
        ("disturbed", {"steal_share": 0.5}, "fail", "stolen: 0.0% of the server's, 50.0% of those behind"),
    ],
)
def test_each_gate_that_looks_at_what_is_behind(name: str, store: dict[str, Any], status: str, found: str) -> None:
    given = gate(name, backed(store))
    assert given is not None
    assert given.status == status
    assert given.found.startswith(found)


@pytest.mark.parametrize(
    ("failures", "status", "found"),
    [
        ({"wrong": 0, "backend timeout": 7}, "pass", "0 wrong"),
        ({"wrong": 1}, "fail", "1 wrong"),
        (None, "unknown", "not known: no load result"),
    ],
)
def test_one_wrong_value_makes_a_trial_invalid_and_failures_behind_do_not(
    failures: dict[str, int] | None, status: str, found: str
) -> None:
    failed = sum((failures or {}).values())
    changes: dict[str, Any] = {"total_failures": failures, "total_ok": TWICE["total_ok"] - failed}
    verdict = judge(backed(**changes))
    given = gate("wrong_value", backed(**changes))
    assert given is not None
    assert (given.status, given.found) == (status, found)
    assert (verdict.kind == "invalid") == (status == "fail")


def test_a_wrong_value_counts_where_nobody_has_watched_what_is_behind() -> None:
    """As of a run from the page."""
    assert gate("wrong_value", dataclasses.replace(GOOD, total_failures={"wrong": 2})) is not None
    assert gate("wrong_value", GOOD) is None


def test_with_nothing_behind_no_gate_speaks_of_it_and_one_killed_on_purpose_has_no_readings() -> None:
    assert "behind_survived" not in {one.name for one in judge(GOOD).gates}
    dead = {"ended": "killed", "removed": True, "cpu_used_s": None, "oom_kills": None, "steal_share": None}
    assert judge(backed(dead)).unknown == ()
