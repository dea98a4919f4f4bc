"""Several servers: what adds up, which of them a gate speaks of, and that a part is never taken for the whole."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence
from testbed.judge.gates import Gate
from testbed.judge.verdict import judge
from testbed.sums import most, total
from tests.unit.testbed.judge.made import GOOD

# Two servers of half a CPU each that share the load of GOOD, neither of them full.
EACH = replace(GOOD.servers[0], cpu_used_s=2.4, throttled_periods=0, served=10_010, steal_share=0.0)
FIRST, SECOND = replace(EACH, name="spmt-1"), replace(EACH, name="spmt-2")
TWICE = {"sent": 20_000, "total_ok": 19_995, "other_replies": 20}


def two(**changes: Any) -> Evidence:
    """The second has what is changed."""
    return replace(GOOD, **TWICE, boxes=(FIRST, replace(SECOND, **changes), *GOOD.generator))


def gate(name: str, evidence: Evidence) -> Gate:
    return next(one for one in judge(evidence).gates if one.name == name)


def test_two_servers_that_share_a_load_pass_every_gate() -> None:
    verdict = judge(two())
    assert (verdict.kind, verdict.failed, verdict.unknown) == ("not-saturated", (), ())
    assert verdict.reasons == ("the servers used 0.48 of the 1 CPUs they can use",)


def test_the_clients_count_is_the_sum_of_what_the_servers_have_counted() -> None:
    assert gate("conservation", two()).found == "20020 served"
    lost = gate("conservation", two(served=10_004))
    assert (lost.status, lost.found) == ("fail", "20014 served")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"throttled_periods": 95}, "the server spmt-2 was throttled in 95% of its quota periods"),
        ({"cpu_used_s": 4.9}, "the server spmt-2 used 98% of the 0.5 CPUs"),
    ],
)
def test_one_that_is_full_is_called_by_its_name(changes: dict[str, Any], says: str) -> None:
    verdict = judge(two(**changes))
    assert verdict.kind == "server-bound"
    assert verdict.reasons[0].startswith(says)
    assert "spmt-1" not in " ".join(verdict.reasons)


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        # How one ended names it already.
        ("server_survived", {"ended": "server spmt-2 ended: exit code 139"}, "server spmt-2 ended: exit code 139"),
        ("server_survived", {"workers_replaced": 2}, "spmt-2: 2 of its workers died and were replaced"),
        ("oom", {"oom_kills": 3}, "spmt-2: 3 killed"),
        ("utilisation_law", {"cpu_used_s": 5.4}, "spmt-2: 5.4 s CPU used in 10 s"),
    ],
)
def test_a_gate_that_fails_for_one_of_them_says_which(name: str, changes: dict[str, Any], found: str) -> None:
    failed = gate(name, two(**changes))
    assert (failed.status, failed.found) == ("fail", found)
    assert judge(two(**changes)).kind == "invalid"


@pytest.mark.parametrize(
    ("name", "lacking", "found"),
    [
        ("conservation", "served", "not known: the server's own count of spmt-2"),
        ("oom", "oom_kills", "not known: this engine does not count them of spmt-2"),
        ("server_survived", "ended", "not known: the container's state of spmt-2"),
        ("server_survived", "workers_replaced", "not known: no exit report of spmt-2 tells of replaced workers"),
        ("utilisation_law", "cpu_used_s", "not known: CPU time of the server of spmt-2"),
        ("disturbed", "steal_share", "not known: time stolen by a hypervisor"),
    ],
)
def test_what_is_not_known_of_one_is_not_known_of_all(name: str, lacking: str, found: str) -> None:
    unknown = gate(name, two(**{lacking: None}))
    assert (unknown.status, unknown.found) == ("unknown", found)


def test_of_one_that_was_killed_nothing_is_said_of_the_engine() -> None:
    killed = two(ended="server spmt-2 ended during the window: exit code 137", oom_kills=None, cpu_used_s=None)
    assert gate("oom", killed).found == "not known: nothing was read at the window's end of spmt-2"
    assert gate("server_survived", killed).found == "server spmt-2 ended during the window: exit code 137"


def test_cpu_time_of_one_is_not_that_of_all() -> None:
    assert judge(two(cpu_used_s=None)).reasons == ("not shown to be saturated: the server's CPU time is not known",)
    assert two(cpu_used_s=None).cpu_used_s is None
    assert two().cpu_used_s == 4.8


def test_time_stolen_from_one_disturbs_whatever_is_known_of_the_other() -> None:
    boxes = (replace(FIRST, steal_share=None), replace(SECOND, steal_share=0.5))
    stolen = gate("disturbed", replace(two(), boxes=(*boxes, *GOOD.generator)))
    assert (stolen.status, stolen.found.split(",")[0]) == ("fail", "stolen: 50.0% of the server's")


def test_work_is_held_against_the_cpus_of_all() -> None:
    # 800/s of 0.5 ms each take 0.4 CPUs: two servers used 0.48, one of them a half of that.
    assert gate("utilisation_law", two()).status == "pass"
    alone = replace(two(), boxes=(FIRST, *GOOD.generator))
    assert gate("utilisation_law", alone).status == "fail"


def test_slots_of_all_serve_users() -> None:
    reasons = judge(replace(two(), model="prefork", workers=2, users_starved=4, service_time_mean_us=4_900.0)).reasons
    assert "prefork serves 4 at once: 4 of 8 users hold it, 4 only wait" in " ".join(reasons)


def test_what_ran_out_for_holders_is_said_of_the_server_in_which_it_did() -> None:
    held = {"idle_holders": 100, "holders_opened": 60, "holders_held": 60}
    found = gate("held", replace(two(said="cannot accept: Too many open files"), **held)).found
    assert found.startswith("60 of 100 held: spmt-2: descriptors: the server says: ")
    died = gate("held", replace(two(ended="server spmt-2 ended: exit code 137, out of memory"), **held)).found
    assert died == "60 of 100 held: memory: server spmt-2 ended: exit code 137, out of memory"


@pytest.mark.parametrize(("join", "found"), [(total, 5), (most, 3)])
def test_a_sum_with_a_part_unknown_is_unknown_and_that_of_nothing_too(
    join: Callable[[list[int | None]], int | None], found: int
) -> None:
    assert join([2, 3]) == found
    assert join([2, None]) is None
    assert join([None]) is None
    assert join([]) is None
    assert join([0]) == 0


def test_a_load_worker_is_a_box_like_others() -> None:
    worker = Box("w1", "load worker", cpu_used_s=9.0, window_s=10.0, throttled_periods=0)
    evidence = replace(GOOD, boxes=(*GOOD.servers, worker))
    assert evidence.generator == (worker,)
    assert gate("generator_cpu", evidence).found == "90% in load worker w1"
