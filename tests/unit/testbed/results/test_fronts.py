"""What a record says of a trial with replicas and a front: whose counts they are, and what of them is not known."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.parts import trial as parts
from testbed.parts.counts import FrontCounts, RequestCounts, ServerCounts
from testbed.plan.trials import Trial
from testbed.results import front_counts
from testbed.results.evidence import evidence
from testbed.results.findings import Findings, Seen
from testbed.results.metrics import imbalance, metrics
from testbed.results.record import record
from testbed.stack.run import Run
from tests.unit.testbed.results.test_boxes import LOAD, PROBE
from tests.unit.testbed.stack.golden_cases import SETS, run_of, trial_of

TRIAL: Trial = trial_of("models: spmt\nlimits: {cpus: 1}\nreplicas: {count: 2}\nfront: haproxy\nload: {users: 8}")
SERVICES = {service.name: service for service in parts.boxes(Run(**run_of({})), TRIAL)}
COUNTS = FrontCounts(
    connections=9,
    open_most=8,
    limit=4_096,
    dropped=0,
    waiting_most=3,
    servers={"spmt-1": ServerCounts(connections=5, failed=0), "spmt-2": ServerCounts(connections=4, failed=0)},
)
LOADED = LOAD | {"connections": {"10.0.0.9:8081": 6, "10.0.0.8:8081": 2}, "replies_to_checks": 1}


def found(front: FrontCounts | None = COUNTS, load: dict[str, Any] = LOADED, **about: Any) -> Findings:
    boxes = []
    for name, accepted in (("spmt-1", 9), ("spmt-2", 7), ("front", None)):
        seen = Seen.of(SERVICES[name])
        seen.probe = PROBE
        # One connection was turned away: it was taken from the queue all the same.
        seen.report = None if accepted is None else {"served": 100 * accepted, "accepted": accepted, "refused": 1}
        boxes.append(seen)
    return Findings(boxes=boxes, load=load, fronts={"front": front}, direct_connections=9, check_connections=0, **about)


def written(of: Findings, trial: Trial = TRIAL) -> dict[str, Any]:
    return record(trial, of, SETS, 4)


RECORD = written(found())
OF_FRONT = {
    "front_cpu_s": 1.2346,
    "front_cpu_us_per_request": 1234.6,
    "front_connections": 9,
    "front_queue_max": 3,
}


def test_the_front_is_a_box_with_what_it_has_counted_itself() -> None:
    (front,) = (box for box in RECORD["boxes"] if box["role"] == "front")
    assert (front["name"], front["cpu_limit"], front["cpu_used_s"]) == ("front", TRIAL.cell.front_cpus, 1.234567)
    assert [front[name] for name in ("connections", "connection_limit", "open_max", "dropped", "queue_max")] == [
        *(9, 4_096, 8, 0, 3)
    ]
    assert [box["connections"] for box in RECORD["boxes"] if box["role"] == "server"] == [10, 8]
    assert RECORD["front_counts"]["servers"]["spmt-2"]["connections"] == 4


def test_its_cost_stands_in_columns_of_its_own() -> None:
    assert {name: RECORD[name] for name in OF_FRONT} == OF_FRONT
    # The servers' alone.
    assert (RECORD["cpu_used_s"], RECORD["cpu_us_per_request"]) == (2.4691, 2469.1)


@pytest.mark.parametrize(
    ("of", "lacking"),
    [
        (found(front=None), {"front_connections", "front_queue_max"}),
        (found(front=replace(COUNTS, waiting_most=None)), {"front_queue_max"}),
        (found(load={**LOADED, "ok": None}), {"front_cpu_us_per_request"}),
        (found(load={**LOADED, "ok": 0}), {"front_cpu_us_per_request"}),
    ],
)
def test_what_the_front_did_not_say_is_not_known(of: Findings, lacking: set[str]) -> None:
    told = written(of)
    assert {name for name in OF_FRONT if told[name] is None} == lacking


def test_without_a_front_there_is_none_in_the_record() -> None:
    boxes = [seen for seen in found().boxes if seen.role == "server"]
    told = written(Findings(boxes=boxes, load=LOADED))
    assert told["front_counts"] is None
    assert {told[name] for name in OF_FRONT} == {None}


def test_no_name_in_a_record_hides_what_was_set() -> None:
    assert {name: RECORD[name] for name in asdict(TRIAL.cell)} == asdict(TRIAL.cell)


def test_connections_are_evidence_by_who_has_made_and_who_has_taken_them() -> None:
    known = evidence(TRIAL.cell, found(), SETS, 4)
    assert (RECORD["check_connections"], RECORD["direct_connections"]) == (0, 9)
    # One more was made by Locust's master, for its one line.
    assert (known.client_connections, known.check_connections, known.direct_connections) == (8, 1, 9)
    assert (known.front_to_replicas, known.front_failed) == ({"spmt-1": 5, "spmt-2": 4}, 0)
    queued = evidence(replace(TRIAL.cell, queue="front"), found(), SETS, 4)
    assert (known.one_queue, queued.one_queue) == (False, True)


def test_connections_that_were_not_counted_are_not_known() -> None:
    known = evidence(TRIAL.cell, found(front=None, load=LOAD), SETS, 4)
    assert (known.client_connections, known.check_connections) == (None, None)
    assert (known.front_to_replicas, known.front_failed) == (None, None)


@pytest.mark.parametrize(
    ("lines", "made"), [({"replies_to_checks": 0}, 0), ({"replies_to_checks": 1}, 1), ({"replies_to_checks": 7}, None)]
)
def test_locusts_own_check_is_one_connection_for_one_line(lines: dict[str, Any], made: int | None) -> None:
    assert front_counts.of_the_start(lines) == made
    assert front_counts.of_the_start({}) is None
    assert front_counts.of_the_start(None) is None


@pytest.mark.parametrize(
    ("counts", "handed", "failed"),
    [
        (COUNTS, {"spmt-1": 5, "spmt-2": 4}, 0),
        (None, None, None),
        # nginx does not count them by server.
        (FrontCounts(connections=9), None, None),
        (FrontCounts(servers={"a": ServerCounts(3, failed=2), "b": ServerCounts()}), None, None),
        (FrontCounts(servers={"a": ServerCounts(3, failed=2), "b": ServerCounts(1, failed=1)}), {"a": 3, "b": 1}, 3),
    ],
)
def test_a_part_of_what_it_handed_on_is_not_taken_for_all(
    counts: FrontCounts | None, handed: dict[str, int] | None, failed: int | None
) -> None:
    assert (front_counts.handed_on(counts), front_counts.failed(counts)) == (handed, failed)


# --- how unlike the servers were loaded ---


def served(*counts: int | None) -> list[Box]:
    return [Box(f"s{number}", "server", served=count) for number, count in enumerate(counts)]


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        ((100, 100), 1.0),
        ((300, 100), 1.5),
        ((300, 0, 0), 3.0),
        ((100, 101, 99), 1.01),
        # One alone is like itself; with one unknown, or with nothing served, there is no mean.
        ((100,), None),
        ((), None),
        ((100, None), None),
        ((0, 0), None),
    ],
)
def test_imbalance_is_the_most_over_the_mean(counts: tuple[int | None, ...], value: float | None) -> None:
    assert imbalance(served(*counts)) == value


@pytest.mark.parametrize("change", ["joined", "removed"])
def test_servers_that_were_not_there_all_the_time_are_not_compared(change: str) -> None:
    first, second = served(300, 100)
    assert imbalance([first, replace(second, **{change: True})]) is None


def test_imbalance_stands_in_the_row_and_the_front_has_no_part_in_it() -> None:
    assert RECORD["imbalance"] == 1.125
    assert metrics(TRIAL.cell, None, [*served(300, 100), Box("front", "front", served=9_000)])["imbalance"] == 1.5


# --- what was changed ---


def test_what_was_done_in_the_window_stands_in_the_record() -> None:
    action = {"at_s": 4.0, "what": "cpus", "was": 0.5, "to": 1.0, "reason": "step", "took_s": 0.1, "done": True}
    there = {"at_s": 0.0, "serving": 2, "running": 2, "cpus": 1.0}
    told = written(found(actions=[action], provision=[there]))
    assert (told["actions"], told["provision"]) == ([action], [there])
    assert (RECORD["actions"], RECORD["provision"]) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        "scaling: {change: cpus, steps: [{at: 1s, to: 1}]}\nload: {mode: open, rate: 100}",
        "load: {mode: open, profile: [{rate: 100, for: 2s}, {rate: 200, for: 3s}]}",
    ],
)
def test_a_trial_in_which_something_is_to_change_is_transient_and_others_are_not(change: str) -> None:
    changing = trial_of(f"models: spmt\nlimits: {{cpus: 0.5}}\nduration: 5s\n{change}")
    assert evidence(changing.cell, found(), SETS, 4).transient
    assert not evidence(TRIAL.cell, found(), SETS, 4).transient


def test_a_box_says_whether_it_came_or_went_within_the_window() -> None:
    of = found()
    of.boxes[1].joined = of.boxes[1].removed = True
    told = [(box["joined"], box["removed"]) for box in written(of)["boxes"]]
    assert told == [(False, False), (True, True), (False, False)]


CACHED: Trial = trial_of(
    "models: spmt\nlimits: {cpus: 1}\nreplicas: {count: 2}\nfront: varnish\nload: {users: 8}\n"
    "workload: {protocol: http, method: get, cache_control: max-age=2}"
)
EDGE = FrontCounts(connections=9, requests=RequestCounts(fetched=30, refreshed=2, connections=3, failed=0))


def test_what_a_cache_has_answered_and_fetched_is_evidence_and_in_the_record() -> None:
    totals = {**LOADED["totals"], "cached": 900}
    load = LOADED | {"cached": 700, "age_max_s": 3, "totals": totals}
    known = found(EDGE, load, front_echoes=1)
    proof = evidence(CACHED.cell, known, SETS, 4)
    assert (proof.by_request, proof.cached, proof.total_cached, proof.requests) == (True, 700, 900, EDGE.requests)
    assert (proof.front_replies, proof.front_failed, proof.front_to_replicas) == (2, 0, None)
    record = written(known, CACHED)
    assert (record["edge_cached"], record["edge_age_max_s"]) == (700, 3)
    assert record["edge_hit_ratio"] == round(700 / load["ok"], 5)
    assert record["front_counts"]["requests"]["fetched"] == 30


def test_a_body_that_is_echoed_is_no_hit_and_a_load_that_did_not_count_them_is_not_known() -> None:
    posts = replace(CACHED, cell=replace(CACHED.cell, method="post"))
    for trial, cached in ((posts, 0), (CACHED, None)):
        proof = evidence(trial.cell, found(EDGE), SETS, 4)
        assert (proof.cached, proof.total_cached) == (cached, cached)
    assert written(found(EDGE), posts)["edge_hit_ratio"] is None
