"""What stands before the servers: when it is what was full, and what is counted of it."""

from dataclasses import replace
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.judge.conservation import connections
from testbed.judge.evidence import Evidence
from testbed.judge.verdict import judge
from tests.unit.testbed.judge.made_fronts import fronted, gate
from tests.unit.testbed.judge.test_verdict import GOOD, WORKER

FULL = {"cpu_used_s": 2.4, "throttled_periods": 95}


def test_a_front_with_room_before_servers_with_room_passes_every_gate() -> None:
    verdict = judge(fronted())
    assert (verdict.kind, verdict.failed, verdict.unknown) == ("not-saturated", (), ())
    assert verdict.reasons == (
        "the servers used 0.48 of the 1 CPUs they can use",
        "the front used 0.1 of 0.25 CPUs",
    )


@pytest.mark.parametrize(
    ("front", "says"),
    [
        ({"cpu_used_s": 2.25}, "the front used 90% of the 0.25 CPUs; saturated from 90%"),
        ({"cpu_used_s": 2.24}, ""),
        ({"throttled_periods": 50}, "the front was throttled in 50% of its quota periods; saturated from 50%"),
        ({"throttled_periods": 49}, ""),
        # Of the 100 periods of the window, not of the 40 in which it ran.
        ({"periods": 40, "throttled_periods": 40}, ""),
        ({"open_max": 1_024}, "the front had all 1024 connections open that it may have"),
        ({"open_max": 1_023}, ""),
        ({"dropped": 3}, "the front closed 3 connections for want of room"),
        # What waits there waits for a server that has no slot for it.
        ({"queue_max": 7}, ""),
        # Without a quota it may use the machine.
        ({"cpu_limit": None, "cpu_used_s": 17.9}, ""),
        ({"cpu_limit": None, "cpu_used_s": 18.0}, "the front used 90% of the 2 CPUs; saturated from 90%"),
        ({"cpu_used_s": None, "throttled_periods": None, "open_max": None, "dropped": None}, ""),
        ({"connection_limit": None, "open_max": 5_000}, ""),
    ],
)
def test_a_front_is_full_by_its_cpu_or_its_connections(front: dict[str, Any], says: str) -> None:
    verdict = judge(fronted(front))
    if says:
        assert (verdict.kind, verdict.reasons) == ("front-bound", (says,))
    else:
        assert verdict.kind == "not-saturated"


def test_what_is_not_known_of_the_front_is_said_and_is_no_room() -> None:
    assert judge(fronted({"cpu_used_s": None})).reasons[1] == (
        "not shown to be saturated: the front's CPU time is not known"
    )


def test_precedence_is_invalid_then_client_then_front_then_server() -> None:
    both = fronted(FULL, {"throttled_periods": 95})
    assert judge(fronted(second={"throttled_periods": 95})).kind == "server-bound"
    verdict = judge(both)
    assert verdict.kind == "front-bound"
    # The front first, and that a server was full as well.
    assert [reason.split(" was ")[0].split(" used ")[0] for reason in verdict.reasons] == [
        "the front",
        "the front",
        "the server spmt-2",
        "the other 1 of 2 servers",
    ]
    busy = tuple(replace(box, cpu_used_s=9.0) if box.role == "load worker" else box for box in both.boxes)
    assert judge(replace(both, boxes=busy)).kind == "client-bound"
    assert judge(replace(both, boxes=busy, shape_mismatch="found 2")).kind == "invalid"


@pytest.mark.parametrize("late", [{"dispatch_lag_p99_us": 80_000.0}, {"achieved_over_offered": 0.5}])
def test_a_full_front_that_makes_requests_late_is_not_blamed_on_the_generator(late: dict[str, Any]) -> None:
    opened = {"mode": "open", "users": 50, "dispatch_lag_p99_us": 900.0, "achieved_over_offered": 0.999}
    assert judge(fronted(FULL, **opened | late)).kind == "front-bound"
    assert judge(fronted(**opened | late)).kind == "client-bound"


def test_one_full_server_among_others_says_that_they_were_not() -> None:
    verdict = judge(fronted(second={"cpu_used_s": 4.9}))
    assert verdict.kind == "server-bound"
    assert verdict.reasons == (
        "the server spmt-2 used 98% of the 0.5 CPUs; saturated from 90%",
        "the other 1 of 2 servers used 48% of the CPUs they can use",
    )
    every = fronted(second={"cpu_used_s": 4.9})
    both = tuple(replace(box, cpu_used_s=4.9) if box.role == "server" else box for box in every.boxes)
    assert "other" not in " ".join(judge(replace(every, boxes=both)).reasons)
    # Of what they did nothing is said where it is not known.
    blind = tuple(replace(box, cpu_used_s=None) if box.name == "spmt-1" else box for box in every.boxes)
    assert "other" not in " ".join(judge(replace(every, boxes=blind)).reasons)


# --- gates that speak of the front ---


@pytest.mark.parametrize(
    ("name", "front", "status", "found"),
    [
        ("front_survived", {}, "pass", "lived"),
        ("front_survived", {"ended": "exit code 139"}, "fail", "exit code 139"),
        ("front_survived", {"ended": None}, "unknown", "not known: the container's state"),
        ("oom", {}, "pass", "0 killed"),
        ("oom", {"oom_kills": 1}, "fail", "front: 1 killed"),
        ("oom", {"oom_kills": None}, "unknown", "not known: this engine does not count them of front"),
        ("utilisation_law", {"cpu_used_s": 2.65}, "pass", None),  # 0.25 x 10.1 s + 5 %
        ("utilisation_law", {"cpu_used_s": 2.66}, "fail", "front: 2.66 s CPU used in 10 s"),
        ("disturbed", {"steal_share": 0.5}, "fail", "stolen: 0.0% of the server's, 50.0% of the front's, 1.1%"),
        ("disturbed", {"steal_share": None}, "unknown", "not known: time stolen by a hypervisor"),
    ],
)
def test_each_gate_that_looks_at_the_front(name: str, front: dict[str, Any], status: str, found: str | None) -> None:
    given = gate(name, fronted(front))
    assert given is not None
    assert given.status == status
    assert found is None or given.found.startswith(found)
    invalid = status == "fail" and name != "disturbed"
    assert (judge(fronted(front)).kind == "invalid") == invalid


def test_without_a_front_no_gate_speaks_of_one() -> None:
    names = {one.name for one in judge(GOOD).gates}
    assert not names & {"front_survived", "connections"}


def test_a_server_that_dies_is_lost_by_name_with_what_the_front_had_given_it() -> None:
    ended = "server spmt-2 ended during the window: exit code 137"
    found = gate("server_survived", fronted(second={"ended": ended}))
    assert found is not None
    assert (found.status, found.found) == ("fail", f"{ended}, with 4 of 9 connections")


def test_all_that_die_are_named() -> None:
    dead = fronted(front_to_replicas=None)
    both = tuple(replace(box, ended=f"{box.name} ended") if box.role == "server" else box for box in dead.boxes)
    found = gate("server_survived", replace(dead, boxes=both))
    assert found is not None
    assert found.found == "spmt-1 ended; spmt-2 ended"


def test_one_that_was_taken_out_may_end_and_its_counts_stay() -> None:
    removed = {"ended": "exit code 143", "removed": True}
    verdict = judge(fronted(second=removed))
    assert (verdict.kind, verdict.failed) == ("not-saturated", ())
    assert "conservation" in judge(fronted(second=removed | {"served": 9_000})).failed
    assert "server_survived" in judge(fronted(second=removed | {"workers_replaced": 1})).failed
    assert "server_survived" in judge(fronted(second=removed | {"removed": False})).failed


# --- connections ---


@pytest.mark.parametrize(
    ("front", "second", "of_trial", "status", "found"),
    [
        ({}, {}, {}, "pass", "9 taken by the front; 17 taken by the servers"),
        ({"connections": 10}, {}, {}, "fail", "10 taken by the front; 17 taken by the servers"),
        ({"connections": 8}, {}, {}, "fail", "8 taken by the front; 17 taken by the servers"),
        ({}, {"connections": 9}, {}, "fail", "9 taken by the front; 18 taken by the servers"),
        ({}, {"connections": 7}, {}, "fail", "9 taken by the front; 16 taken by the servers"),
        # What is known is enough to tell that it does not add up.
        ({"connections": 8}, {"connections": None}, {}, "fail", "8 taken by the front"),
        ({"connections": None}, {"connections": 7}, {}, "fail", "16 taken by the servers"),
        ({"connections": None}, {}, {}, "unknown", "not known: what the front or the clients have counted"),
        ({}, {}, {"client_connections": None}, "unknown", "not known: what the front or the clients have counted"),
        ({}, {}, {"check_connections": None}, "unknown", "not known: what the front or the clients have counted"),
        ({}, {"connections": None}, {}, "unknown", "not known: the servers' count of spmt-2 or that of what was made"),
        ({}, {}, {"direct_connections": None}, "unknown", "not known: the servers' count or that of what was made"),
        ({}, {}, {"total_failures": None}, "unknown", "not known: what failed or was in flight"),
        ({}, {}, {"total_in_flight": None}, "unknown", "not known: what failed or was in flight"),
        # One that does not count them by server makes one for each that it takes, unless they wait in it.
        ({}, {}, {"front_to_replicas": None}, "pass", "9 taken by the front; 17 taken by the servers"),
        ({}, {"connections": 7}, {"front_to_replicas": None}, "fail", "9 taken by the front; 16 taken by the servers"),
        ({}, {}, {"front_to_replicas": None, "one_queue": True}, "unknown", "not known: the servers' count or that"),
    ],
)
def test_connections_are_counted_once_more(
    front: dict[str, Any], second: dict[str, Any], of_trial: dict[str, Any], status: str, found: str
) -> None:
    evidence = fronted(front, second, **of_trial)
    given = gate("connections", evidence)
    assert given is not None
    assert given.status == status
    assert given.found.startswith(found)
    assert ("connections" in judge(evidence).failed) == (status == "fail")


@pytest.mark.parametrize(
    ("of_trial", "allowed"),
    [
        ({}, "9 taken by the front; 17 taken by the servers"),
        ({"total_failures": {"reset": 2}}, "7 to 9 taken by the front; 15 to 19 taken by the servers"),
        # One without a connection is not among the clients', and the front may have taken it all the same.
        ({"total_failures": {"connect": 2}}, "9 to 11 taken by the front; 15 to 19 taken by the servers"),
        ({"holders_failures": {"timeout": 1}}, "8 to 9 taken by the front; 16 to 18 taken by the servers"),
        ({"front_failed": 1}, "9 taken by the front; 16 to 18 taken by the servers"),
        # Five had no reply when the load ended: new connections, or ones that waited for the server's one thread.
        ({"connection": "per-request"}, "4 to 9 taken by the front; 12 to 22 taken by the servers"),
        ({"connection": "per-request", "total_in_flight": 0}, "9 taken by the front; 17 taken by the servers"),
        ({"model": "spst"}, "9 taken by the front; 12 to 22 taken by the servers"),
        ({"model": "spst", "holders_unanswered": 1}, "9 taken by the front; 11 to 23 taken by the servers"),
        # Of eight users in an open loop seven may wait at that thread with nothing to send.
        ({"model": "spst", "mode": "open"}, "9 taken by the front; 5 to 29 taken by the servers"),
    ],
)
def test_what_is_uncertain_of_connections_bounds_them(of_trial: dict[str, Any], allowed: str) -> None:
    given = gate("connections", fronted(**of_trial))
    assert given is not None
    assert given.allowed == allowed


# As trials on real containers ended: made by the load, taken by the front, handed to each server and taken by it. The
# checks made 12 to each server that was there from the start and 1 to one that joined, and 2 through the front.
MEASURED: list[tuple[str, str, int, int, tuple[int, ...], tuple[int, ...], int, bool]] = [
    ("thread-pool", "per-request", 1_368, 1_370, (), (697, 697), 24, False),  # nginx
    ("thread-pool", "persistent", 9, 11, (), (18, 17), 24, False),  # nginx
    ("thread-pool", "persistent", 9, 11, (6, 5), (18, 17), 24, False),
    ("thread-pool", "per-request", 1_920, 1_922, (952, 970), (964, 982), 24, True),
    ("spmt", "per-request", 1_805, 1_807, (1_482, 325), (1_494, 326), 13, False),  # of which one joined and was removed
    ("spmt", "per-request", 3_258, 3_260, (1_365, 1_029, 866), (1_377, 1_030, 867), 14, False),  # two joined
]


@pytest.mark.parametrize(
    ("model", "connection", "made", "taken", "handed", "accepted", "direct", "one_queue"), MEASURED
)
def test_counts_of_real_trials_add_up_exactly(
    model: str,
    connection: str,
    made: int,
    taken: int,
    handed: tuple[int, ...],
    accepted: tuple[int, ...],
    direct: int,
    one_queue: bool,
) -> None:
    names = [f"{model}-{number}" for number in range(1, 1 + len(accepted))]
    servers = [Box(name, "server", connections=count) for name, count in zip(names, accepted, strict=True)]
    known = dict(zip(names, handed, strict=True)) if handed else None
    evidence = Evidence(
        *(model, 2, 4, "closed", 9),
        connection=connection,
        boxes=(*servers, Box("front", "front", connections=taken)),
        client_connections=made,
        check_connections=2,
        direct_connections=direct,
        front_to_replicas=known,
        one_queue=one_queue,
        total_failures={},
        total_in_flight=0,
    )
    found = connections(evidence)
    assert found is not None
    assert (found.status, found.found) == ("pass", f"{taken} taken by the front; {sum(accepted)} taken by the servers")
    more = connections(replace(evidence, direct_connections=direct - 1))
    assert more is not None
    assert more.status == "fail"


def test_a_front_without_room_leaves_connections_in_the_kernels_queue() -> None:
    given = gate("connections", fronted({"open_max": 1_024}))
    assert given is not None
    assert given.allowed.startswith("1 to 9 taken by the front")


# --- where connections wait ---


def test_slots_in_one_queue_serve_whoever_comes_and_in_several_only_those_that_meet_none() -> None:
    """Three users of a pool of two behind each of two servers: none starves where one queue has them all."""
    pools = {"model": "prefork", "workers": 2, "users": 3, "users_starved": 1, "service_time_mean_us": 2_450.0}
    met = judge(fronted(**pools, connection="persistent"))
    assert "prefork serves 4 at once: 2 of 3 users hold it, 1 only wait" in met.reasons
    assert not [one for one in judge(fronted(**pools, one_queue=True)).reasons if "at once" in one]


def test_holders_that_wait_behind_others_say_which_queues_there_are() -> None:
    held = {"model": "prefork", "workers": 4, "idle_holders": 6, "holders_opened": 5, "holders_held": 5}
    given = gate("held", fronted(**held))
    assert given is not None
    assert given.found == "5 of 6 held: there is a queue for each server, where one waits for another"


def test_a_shared_machine_is_filled_by_the_front_as_well() -> None:
    shared = fronted({"cpu_limit": 2.0, "cpu_used_s": 11.5}, isolated=False)
    assert WORKER.cpu_used_s == 2.0
    verdict = judge(shared)
    assert (verdict.kind, verdict.reasons[0]) == (
        "client-bound",
        "server, front and load workers share cores and together used 1.83 of 2 CPUs; full from 90%",
    )
    assert judge(fronted({"cpu_limit": 2.0, "cpu_used_s": 11.0}, isolated=False)).kind == "not-saturated"
