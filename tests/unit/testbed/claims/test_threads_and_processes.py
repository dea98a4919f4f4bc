"""Claims about what serves at once, what waits and what it costs in memory: each outcome with made rows."""

import pytest

from testbed.claims import second_client, thread_memory, threads_wait
from testbed.claims.claim import Claim, Outcome
from tests.unit.testbed.claims.made import Measures, Row, apart, made, noisy


def starved(row: Row) -> Row:
    return {"users_starved": int(row["model"] == "spst"), "accept_queue_max": 1}


def one_waits_elsewhere(row: Row) -> Row:
    return starved(row) | ({"users_starved": 1} if row["model"] == "prefork" and row["block"] == 2 else {})


def nobody_waits(row: Row) -> Row:
    return {"users_starved": 0, "accept_queue_max": 0}


def uncounted(row: Row) -> Row:
    return starved(row) | ({"users_starved": None} if row["model"] == "mpst" else {})


SERVED = {"spst": 49.0, "thread-pool": 1550.0, "prefork": 1540.0, "event-loop": 1560.0}


def served(row: Row) -> Row:
    return {"throughput_rps": noisy(row, SERVED[row["model"]]), "pss_bytes": 40e6}


def few_threads(row: Row) -> Row:
    return served(row) | ({"throughput_rps": noisy(row, 1000)} if row["model"] == "thread-pool" else {})


def wild_threads(row: Row) -> Row:
    return served(row) | ({"throughput_rps": apart(row, 1300)} if row["model"] == "thread-pool" else {})


def full_generator(row: Row) -> Row:
    return served(row) | ({"verdict": "client-bound"} if row["model"] == "thread-pool" else {})


OF_EACH = {"spmt": 50_000, "mpst": 1_500_000, "event-loop": 6_000}


def grows(row: Row) -> Row:
    pss = 15e6 + noisy(row, OF_EACH[row["model"]]) * row["idle_holders"]
    return {"pss_bytes": pss, "rss_bytes": 4 * pss if row["model"] == "mpst" else pss}


def true_rss(row: Row) -> Row:
    return grows(row) | {"rss_bytes": noisy(row, 1.2) * grows(row)["pss_bytes"]}


def wild_pss(row: Row) -> Row:
    return grows(row) | ({"pss_bytes": 15e6 + apart(row, 1e6) * row["idle_holders"]} if row["model"] == "spmt" else {})


def no_rss(row: Row) -> Row:
    return grows(row) | {"rss_bytes": None}


@pytest.mark.parametrize(
    ("claim", "measures", "outcome"),
    [
        (second_client.CLAIM, starved, "holds"),
        (second_client.CLAIM, nobody_waits, "does not hold"),
        (second_client.CLAIM, one_waits_elsewhere, "not shown"),
        (second_client.CLAIM, uncounted, "inconclusive here"),
        (threads_wait.CLAIM, served, "holds"),
        (threads_wait.CLAIM, few_threads, "does not hold"),
        (threads_wait.CLAIM, wild_threads, "not shown"),
        (threads_wait.CLAIM, full_generator, "inconclusive here"),
        (thread_memory.CLAIM, grows, "holds"),
        (thread_memory.CLAIM, true_rss, "does not hold"),
        (thread_memory.CLAIM, wild_pss, "not shown"),
        (thread_memory.CLAIM, no_rss, "inconclusive here"),
    ],
)
def test_each_outcome_is_found_in_rows_that_show_it(claim: Claim, measures: Measures, outcome: Outcome) -> None:
    found = claim.decide(made(claim, measures))
    assert found.outcome == outcome, found.decided


def test_processes_beside_the_threads_are_told_where_they_were_measured() -> None:
    told = threads_wait.CLAIM.decide(made(threads_wait.CLAIM, served)).decided
    assert "32 processes serve x 0.994" in told


def test_two_blocks_decide_nothing_that_needs_an_interval() -> None:
    found = thread_memory.CLAIM.decide(made(thread_memory.CLAIM, grows, blocks=2))
    assert found.outcome == "inconclusive here"
    assert "at least 3" in found.decided
