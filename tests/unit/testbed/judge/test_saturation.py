"""What makes a server saturated: its CPUs, its slots, or a machine that it shares with the load."""

from typing import Any

import pytest

from testbed.judge.verdict import judge
from tests.unit.testbed.judge.made import GOOD, WORKER, replace


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
