"""Sidecars and faults in a verdict: what is counted once more, what may die, and what is full."""

import dataclasses
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.judge.laws import serving_slots, surely_served
from testbed.judge.verdict import judge
from testbed.parts.counts import RequestCounts
from tests.unit.testbed.judge.made_fronts import FRONT, fronted, gate
from tests.unit.testbed.judge.test_boxes import FIRST, SECOND
from tests.unit.testbed.judge.test_edge import cached
from tests.unit.testbed.judge.test_verdict import GOOD, OPEN


def beside(name: str, taken: int, made: int, **more: Any) -> Box:
    known = {"role": "sidecar", "name": name, "connections": taken, "connections_made": made}
    return dataclasses.replace(FRONT, **{**known, "open_max": taken, **more})


def meshed(*sidecars: Box, servers: tuple[int, int] = (7, 6), **of_trial: Any) -> Evidence:
    """The front has given its nine connections to sidecars, which checks have asked once each; they keep two and one to
    their servers, which checks have asked four times each besides."""
    boxes = sidecars or (beside("spmt-1-sidecar", 6, 2), beside("spmt-2-sidecar", 5, 1))
    base = fronted()
    first, second = (
        dataclasses.replace(server, connections=count) for server, count in zip((FIRST, SECOND), servers, strict=True)
    )
    known = {"boxes": (first, second, *boxes, *base.fronts, *base.generator), "sidecar_connections": 2}
    return dataclasses.replace(base, **{**known, "direct_connections": 10, **of_trial})


def test_connections_are_counted_at_each_hop() -> None:
    found = gate("connections", meshed())
    assert found is not None and found.status == "pass", found
    assert found.found == "9 taken by the front; 11 taken by the sidecars; 13 taken by the servers"


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        (meshed(servers=(30, 6)), "36 taken by the servers"),
        (meshed(beside("spmt-1-sidecar", 40, 2), beside("spmt-2-sidecar", 5, 1)), "45 taken by the sidecars"),
    ],
)
def test_one_that_came_from_elsewhere_shows(evidence: Evidence, what: str) -> None:
    found = gate("connections", evidence)
    assert found is not None and found.status == "fail" and what in found.found


def test_without_a_sidecars_count_it_is_not_known() -> None:
    found = gate("connections", meshed(dataclasses.replace(beside("a", 6, 2), connections=None), beside("b", 5, 1)))
    assert found is not None and found.status == "unknown" and "the sidecars' count of a" in found.found


def test_behind_a_sidecar_clients_connections_are_not_the_servers() -> None:
    assert serving_slots(dataclasses.replace(GOOD, model="thread-pool", threads=4)) is not None
    alone = dataclasses.replace(GOOD, model="thread-pool", threads=4, boxes=(*GOOD.boxes, beside("a", 8, 8)))
    assert serving_slots(alone) is surely_served(alone) is None


def test_a_sidecar_that_died_is_named_and_one_that_is_full_bounds_the_trial() -> None:
    died = judge(meshed(beside("a", 6, 2, ended="sidecar a ended during the window: exit code 137"), beside("b", 5, 1)))
    assert died.kind == "invalid" and any("sidecar a ended" in line for line in died.reasons)
    full = judge(meshed(beside("a", 6, 2, cpu_used_s=2.5), beside("b", 5, 1)))
    assert full.kind == "front-bound" and full.reasons[0].startswith("the sidecar a used 100% of the 0.25 CPUs")


def test_a_try_that_was_given_up_may_have_been_served() -> None:
    """A server that stood still answers it later, to nobody."""
    base = cached(total_cached=0, cached=0)
    assert base.requests is not None and base.total_ok is not None
    fetched = base.total_ok + 1
    counts = RequestCounts(fetched=fetched, refreshed=0, connections=9, failed=0, tried=fetched + 20, retried=20)
    past = (base.other_replies or 0) - 1

    def served(count: int) -> str | None:
        first, second, *others = base.boxes
        boxes = (
            dataclasses.replace(first, served=count),
            dataclasses.replace(second, served=0),
            *others,
        )
        found = gate("conservation", dataclasses.replace(base, boxes=boxes, requests=counts))
        return found and found.status

    assert [served(past + fetched + more) for more in (-1, 0, 20, 21)] == ["fail", "pass", "pass", "fail"]


# --- crashes that were asked for ---


def crashed(**of_server: Any) -> Evidence:
    (server,) = OPEN.servers
    boxes = (dataclasses.replace(server, **of_server), *OPEN.generator)
    return dataclasses.replace(OPEN, boxes=boxes, transient=True)


def test_what_was_asked_to_crash_may_end_or_lose_a_worker_for_each_crash() -> None:
    ended = {"ended": "server ended during the window: exit code 139", "removed": True, "workers_replaced": None}
    for server in (ended, {"workers_replaced": 1}, {"workers_replaced": 1, "oom_kills": 1, "oom_asked": 1}):
        verdict = judge(crashed(crashes=1, **server))
        assert "server_survived" not in verdict.failed and "oom" not in verdict.failed, server
        assert verdict.kind == "transient"


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ({"crashes": 1, "workers_replaced": 2}, "server_survived"),
        ({"workers_replaced": 1}, "server_survived"),
        # A fault in native code is not what memory ran out of.
        ({"crashes": 1, "workers_replaced": 1, "oom_kills": 1}, "oom"),
    ],
)
def test_more_than_was_asked_for_is_a_fault_of_the_server(server: dict[str, Any], name: str) -> None:
    verdict = judge(crashed(**server))
    assert name in verdict.failed and verdict.kind == "invalid"
