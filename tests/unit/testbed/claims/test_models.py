"""Claims about what concurrency models cost and bear: each outcome with made rows."""

import pytest

from testbed.claims import (
    fork_per_connection,
    harness,
    head_of_line,
    hybrid,
    loop_computes,
    loop_memory,
    loop_waits,
    pool_bound,
    prefork_balance,
    processes_compute,
    shared_counter,
    switch_cost,
    switch_interval,
    ten_thousand,
)
from testbed.claims.claim import Claim, Outcome
from tests.unit.testbed.claims.made import Measures, Row, apart, changed, made, noisy, of, times, wildly
from tests.unit.testbed.claims.test_threads_and_processes import grows, served

NOT_LOOP = changed(served, of(model="event-loop"), throughput_rps=times("throughput_rps", 0.5))


def wild_loop(row: Row) -> Row:
    return grows(row) | (
        {"pss_bytes": 20e6 + apart(row, 5e4) * row["idle_holders"]} if row["model"] == "event-loop" else {}
    )


def spent(row: Row) -> Row:
    """A switch a request, and 2 us more of it in processes."""
    cpu = 30.0 if row["model"] == "spmt" else 32.5
    return {"cpu_us_per_request": noisy(row, cpu), "voluntary_switches": 900, "involuntary_switches": 100, "ok": 1000}


def dear_forks(row: Row) -> Row:
    cost = {"spst": 100.0, "mpst": 1600.0, "prefork": 180.0, "spmt": 250.0, "thread-pool": 150.0}
    return {"cpu_us_per_request": noisy(row, cost[row["model"]])}


def held(row: Row) -> Row:
    """Ten thousand in the loop, a hundred processes; the others for want of memory."""
    if row["model"] == "event-loop" or row["idle_holders"] == 100:
        return {"holders_held": row["idle_holders"], "oom_kills": 0}
    if row["idle_holders"] == 1000 and row["model"] == "spmt":
        return {"holders_held": 1000, "oom_kills": 0}
    why = "held: 310 of 1000 held: memory: all of its 256MiB were in use"
    return {"verdict": "invalid", "reasons": why, "holders_held": 310, "oom_kills": 0}


HOLDS_THREADS = {"verdict": "not-saturated", "holders_held": 10_000, "reasons": "", "oom_kills": 0}


def ten_thousand_threads(row: Row) -> Row:
    return held(row) | (HOLDS_THREADS if row["model"] == "spmt" else {})


def sometimes(row: Row) -> Row:
    return held(row) | (HOLDS_THREADS if row["model"] == "spmt" and row["block"] == 1 else {})


def no_descriptors(row: Row) -> Row:
    return held(row) | ({"reasons": "held: 9 of 1000 held: descriptors"} if row["model"] == "mpst" else {})


def lawful(row: Row) -> Row:
    return {"throughput_rps": row["users"] / 0.021, "cpu_used_s": 0.6, "window_s": 2.0, "generator_cpu_share": 0.2}


def by_processors(row: Row) -> Row:
    """Two processes use two processors; threads, a loop and one process one."""
    used = min(row["cpus"], row["workers"]) if row["model"] == "prefork" else 1
    return {"throughput_rps": noisy(row, 190.0 * used)}


BOTH = of(model="prefork", cpus=2.0, workers=2)
ONE_WORKER = of(model="prefork", cpus=2.0, workers=1)
TWO_CPUS = of(model="event-loop", cpus=2.0)


def mixed(row: Row) -> Row:
    rate = {"mpmt": 1700.0, "prefork": 1500.0, "thread-pool": 700.0, "event-loop": 800.0, "prefork-event-loop": 1400.0}
    return {"throughput_rps": noisy(row, rate[row["model"]]), "latency_p99_us": 90_000}


def delayed(row: Row) -> Row:
    return {"echo_p99_us": noisy(row, 96_000 if row["model"] == "event-loop" else 4_000)}


IN_LOOP, IN_PROCESSES = of(model="event-loop"), of(model="prefork")


def by_interval(row: Row) -> Row:
    """Twice the interval in threads, and 0.1 ms of its own."""
    waits = 2 * row["switch_interval_us"] if row["model"] == "spmt" else 0
    return {"echo_p50_us": noisy(row, 100 + waits)}


def by_root(row: Row) -> Row:
    """It rises, and all but twice as much as the interval, and not in a straight line."""
    return by_interval(row) | (
        {"echo_p50_us": noisy(row, {500: 100, 1000: 60_000, 5000: 100, 20_000: 60_000}[row["switch_interval_us"]])}
        if row["model"] == "spmt"
        else {}
    )


def locked(row: Row) -> Row:
    """Half a microsecond for the lock, and a wait now and then."""
    waits = {"voluntary_switches": 1_010 if row["counter"] == "shared" else 1_000, "ok": 1_000}
    return waits | {"cpu_us_per_request": noisy(row, 40) + (0.5 if row["counter"] == "shared" else 0)}


def even(row: Row) -> Row:
    return {"jain_served": noisy(row, 0.98 if row["model"] == "prefork" else 0.62)}


@pytest.mark.parametrize(
    ("claim", "measures", "outcome"),
    [
        (loop_memory.CLAIM, grows, "holds"),
        (loop_memory.CLAIM, changed(grows, of(model="event-loop"), pss_bytes=times("pss_bytes", 9)), "does not hold"),
        (loop_memory.CLAIM, wild_loop, "not shown"),
        (loop_memory.CLAIM, changed(grows, of(idle_holders=64), pss_bytes=None), "inconclusive here"),
        (loop_waits.CLAIM, served, "holds"),
        (loop_waits.CLAIM, NOT_LOOP, "does not hold"),
        (loop_waits.CLAIM, changed(served, of(), throughput_rps=wildly("throughput_rps")), "not shown"),
        (loop_waits.CLAIM, changed(served, of(model="event-loop"), verdict="invalid"), "inconclusive here"),
        (switch_cost.CLAIM, spent, "holds"),
        (switch_cost.CLAIM, changed(spent, of(model="mpst"), cpu_us_per_request=20.0), "does not hold"),
        (
            switch_cost.CLAIM,
            changed(spent, of(model="mpst"), cpu_us_per_request=lambda row: noisy(row, 30)),
            "not shown",
        ),
        (switch_cost.CLAIM, changed(spent, of(model="spmt"), voluntary_switches=2000), "inconclusive here"),
        (fork_per_connection.CLAIM, dear_forks, "holds"),
        (fork_per_connection.CLAIM, changed(dear_forks, of(model="prefork"), cpu_us_per_request=900), "does not hold"),
        (
            fork_per_connection.CLAIM,
            changed(dear_forks, of(model="mpst"), cpu_us_per_request=wildly("cpu_us_per_request")),
            "not shown",
        ),
        (fork_per_connection.CLAIM, changed(dear_forks, of(model="spst"), verdict="client-bound"), "inconclusive here"),
        (ten_thousand.CLAIM, held, "holds"),
        (ten_thousand.CLAIM, ten_thousand_threads, "does not hold"),
        (ten_thousand.CLAIM, sometimes, "not shown"),
        (ten_thousand.CLAIM, no_descriptors, "inconclusive here"),
        (harness.CLAIM, lawful, "holds"),
        (harness.CLAIM, changed(lawful, of(), throughput_rps=9e9), "does not hold"),
        (harness.CLAIM, changed(lawful, of(model="spst"), cpu_used_s=2.5), "not shown"),
        (harness.CLAIM, changed(lawful, of(model="spst"), cpu_used_s=None), "inconclusive here"),
        (processes_compute.CLAIM, by_processors, "holds"),
        (processes_compute.CLAIM, changed(by_processors, BOTH, throughput_rps=230), "does not hold"),
        (processes_compute.CLAIM, changed(by_processors, BOTH, throughput_rps=wildly("throughput_rps")), "not shown"),
        (processes_compute.CLAIM, changed(by_processors, BOTH, verdict="client-bound"), "inconclusive here"),
        (loop_computes.CLAIM, by_processors, "holds"),
        (loop_computes.CLAIM, changed(by_processors, TWO_CPUS, throughput_rps=370), "does not hold"),
        (loop_computes.CLAIM, changed(by_processors, TWO_CPUS, throughput_rps=wildly("throughput_rps")), "not shown"),
        (loop_computes.CLAIM, changed(by_processors, TWO_CPUS, throughput_rps=None), "inconclusive here"),
        (pool_bound.CLAIM, by_processors, "holds"),
        (pool_bound.CLAIM, changed(by_processors, ONE_WORKER, throughput_rps=370), "does not hold"),
        (pool_bound.CLAIM, changed(by_processors, ONE_WORKER, throughput_rps=wildly("throughput_rps")), "not shown"),
        (pool_bound.CLAIM, changed(by_processors, BOTH, throughput_rps=200), "inconclusive here"),
        (head_of_line.CLAIM, delayed, "holds"),
        (head_of_line.CLAIM, changed(delayed, IN_LOOP, echo_p99_us=lambda row: noisy(row, 9_000)), "does not hold"),
        (head_of_line.CLAIM, changed(delayed, IN_PROCESSES, echo_p99_us=90_000), "does not hold"),
        (head_of_line.CLAIM, changed(delayed, IN_LOOP, echo_p99_us=wildly("echo_p99_us")), "not shown"),
        (head_of_line.CLAIM, changed(delayed, IN_PROCESSES, echo_p99_us=None), "inconclusive here"),
        (shared_counter.CLAIM, locked, "holds"),
        (
            shared_counter.CLAIM,
            changed(locked, of(model="spmt", counter="own"), cpu_us_per_request=lambda row: noisy(row, 40) + 1),
            "does not hold",
        ),
        (
            shared_counter.CLAIM,
            changed(locked, of(counter="shared"), cpu_us_per_request=wildly("cpu_us_per_request")),
            "not shown",
        ),
        (shared_counter.CLAIM, changed(locked, of(counter="own"), verdict="invalid"), "inconclusive here"),
        (switch_interval.CLAIM, by_interval, "holds"),
        (switch_interval.CLAIM, changed(by_interval, of(model="spmt"), echo_p50_us=100), "does not hold"),
        (switch_interval.CLAIM, by_root, "does not hold"),
        (
            switch_interval.CLAIM,
            changed(by_interval, IN_PROCESSES, echo_p50_us=lambda row: 2 * row["switch_interval_us"]),
            "does not hold",
        ),
        (
            switch_interval.CLAIM,
            changed(by_interval, of(model="spmt"), echo_p50_us=wildly("echo_p50_us")),
            "not shown",
        ),
        (switch_interval.CLAIM, changed(by_interval, of(model="spmt"), verdict="invalid"), "inconclusive here"),
        (prefork_balance.CLAIM, even, "holds"),
        (prefork_balance.CLAIM, changed(even, IN_PROCESSES, jain_served=0.7), "does not hold"),
        (prefork_balance.CLAIM, changed(even, of(model="prefork-reuseport"), jain_served=0.99), "not shown"),
        (prefork_balance.CLAIM, changed(even, of(model="prefork", block=1), jain_served=0.7), "not shown"),
        (prefork_balance.CLAIM, changed(even, IN_PROCESSES, jain_served=None), "inconclusive here"),
        (hybrid.CLAIM, mixed, "holds"),
        (hybrid.CLAIM, changed(mixed, of(model="prefork"), throughput_rps=2100), "does not hold"),
        (hybrid.CLAIM, changed(mixed, of(model="prefork"), throughput_rps=lambda row: noisy(row, 1700)), "not shown"),
        (hybrid.CLAIM, changed(mixed, of(model="mpmt"), latency_p99_us=None), "inconclusive here"),
    ],
)
def test_each_outcome_is_found_in_rows_that_show_it(claim: Claim, measures: Measures, outcome: Outcome) -> None:
    found = claim.decide(made(claim, measures))
    assert found.outcome == outcome, found.decided


def test_a_p99_beyond_the_objective_is_no_scaling() -> None:
    slow = changed(mixed, of(model="mpmt"), latency_p99_us=400_000)
    assert hybrid.CLAIM.decide(made(hybrid.CLAIM, slow)).outcome == "does not hold"


def test_the_table_of_designs_has_every_one_beside_the_sequential_server() -> None:
    told = fork_per_connection.CLAIM.decide(made(fork_per_connection.CLAIM, dear_forks)).decided
    assert all(model in told for model in ("mpst", "prefork", "spmt", "thread-pool"))
    assert "mpst 1.5e+03" in told or "mpst 1,500" in told


def test_an_invalid_trial_without_a_reason_is_dropped_silently() -> None:
    silent = changed(lawful, lambda row: row["block"] == 1, verdict="invalid", status="failed", reasons="")
    assert harness.CLAIM.decide(made(harness.CLAIM, silent)).outcome == "not shown"
    told = changed(silent, lambda row: row["block"] == 1, reasons="littles_law: 40 users of 32")
    assert harness.CLAIM.decide(made(harness.CLAIM, told)).outcome == "holds"
