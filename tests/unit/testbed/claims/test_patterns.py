"""Claims about databases, caches, edges and brokers: each outcome with made rows."""

import pytest

from testbed.claims import (
    broker_linear,
    cache_law,
    cache_lock,
    hot_shard,
    pooler,
    rate_limit,
    read_replicas,
    remote_apply,
    shards,
    stale_by_writes,
    stampede_lock,
    work_queue,
)
from testbed.claims.claim import Claim, Outcome
from testbed.claims.selecting import inside
from tests.unit.testbed.claims.made import Measures, Row, changed, made, noisy, of, times, wildly

STANDBYS, COMMIT = inside("behind", "postgres", "standbys"), inside("behind", "postgres", "commit")
POOLER, SHARDS = inside("behind", "postgres", "pooler"), inside("behind", "postgres", "shards")
HITS, LOCK = inside("behind", "valkey", "hits"), inside("behind", "valkey", "lock")
SUBSCRIBERS = inside("behind", "nats", "subscribers")
FULL = {"verdict": "backend-bound"}


def as_predicted(row: Row) -> Row:
    """A read costs 1.4 ms of a database, a write 1.2 ms; the second standby takes half of the reads."""
    writes, reads = (1 - row["reads"]) * 1.2, row["reads"] * 1.4
    busiest = max(writes, reads / 2) if STANDBYS(row) else writes + reads
    return {"throughput_rps": noisy(row, 1000 / busiest), **FULL}


def replicated(row: Row) -> bool:
    return bool(STANDBYS(row) == 2 and COMMIT(row) == "on")


def stale(row: Row) -> Row:
    """More with more writes; none with remote_apply."""
    share = 0.0 if waits_for_all(row) else 0.01 if row["reads"] == 0.5 else 0.001
    found = {"stale_share": noisy(row, share), "stale": round(2000 * share), "reads_checked": 2000}
    return {**found, "write_p50_us": noisy(row, 1500 if waits_for_all(row) else 1000), **FULL}


def waits_for_all(row: Row) -> bool:
    return bool(COMMIT(row) == "remote_apply")


def half_written(row: Row) -> bool:
    return bool(row["reads"] == 0.5)


def is_pooled(row: Row) -> bool:
    return bool(POOLER(row) == "pgbouncer")


def pooled(row: Row) -> Row:
    served, spent = (620, 300) if is_pooled(row) else (460, 800)
    verdict = "server-bound" if is_pooled(row) else "backend-bound"
    return {"throughput_rps": noisy(row, served), "behind_cpu_us_per_request": noisy(row, spent), "verdict": verdict}


def is_sharded(row: Row) -> bool:
    return bool(SHARDS(row) == 2 and row["zipf"] == 0)


def written(row: Row) -> Row:
    return {"throughput_rps": noisy(row, 380 if is_sharded(row) else 300 if row["zipf"] else 200), **FULL}


def by_hits(row: Row) -> Row:
    return {"throughput_rps": noisy(row, 1 / (HITS(row) / 6600 + (1 - HITS(row)) / 3200))}


def half_hit(row: Row) -> bool:
    return bool(HITS(row) == 0.5)


def locked(row: Row) -> bool:
    return bool(LOCK(row))


def fetched(row: Row) -> Row:
    return {"cache_fetches": noisy(row, 9 if locked(row) else 86)}


def waited(row: Row) -> Row:
    return {"latency_p99_us": noisy(row, 480e3 if row["front"] == "nginx-cache" else 52e3)}


def many(row: Row) -> bool:
    return bool(SUBSCRIBERS(row) == 16)


def handed_out(row: Row) -> Row:
    """A client-bound trial tells of the broker's CPU all the same."""
    spent = 0.1 + 0.02 * SUBSCRIBERS(row)
    return {"broker_cpu_s": noisy(row, spent), "window_s": 4.0, "verdict": "client-bound" if many(row) else "transient"}


def kept(row: Row) -> Row:
    return {"messages_sent": 2289, "messages_lost": 0, "messages_repeated": 1, "verdict": "not-saturated"}


def has_limit(row: Row) -> bool:
    return bool(row["rate_limit_rps"])


def admitted(row: Row) -> Row:
    p99, limited = (60e3, 700) if has_limit(row) else (1.6e6, 0)
    return {"latency_p99_us": noisy(row, p99), "limited": limited, "verdict": "server-bound"}


@pytest.mark.parametrize(
    ("claim", "measures", "outcome"),
    [
        (read_replicas.CLAIM, as_predicted, "holds"),
        (
            read_replicas.CLAIM,
            changed(as_predicted, replicated, throughput_rps=times("throughput_rps", 0.6)),
            "does not hold",
        ),
        (read_replicas.CLAIM, changed(as_predicted, replicated, throughput_rps=wildly("throughput_rps")), "not shown"),
        (read_replicas.CLAIM, changed(as_predicted, replicated, verdict="server-bound"), "inconclusive here"),
        (stale_by_writes.CLAIM, stale, "holds"),
        (stale_by_writes.CLAIM, changed(stale, half_written, stale_share=0.0), "does not hold"),
        (stale_by_writes.CLAIM, changed(stale, of(), stale_share=0.0), "not shown"),
        (stale_by_writes.CLAIM, changed(stale, half_written, stale_share=None), "inconclusive here"),
        (remote_apply.CLAIM, stale, "holds"),
        (remote_apply.CLAIM, changed(stale, waits_for_all, stale=4), "does not hold"),
        (remote_apply.CLAIM, changed(stale, waits_for_all, stale=lambda row: int(row["block"] == 2)), "not shown"),
        (remote_apply.CLAIM, changed(stale, of(), stale=0), "inconclusive here"),
        (pooler.CLAIM, pooled, "holds"),
        (pooler.CLAIM, changed(pooled, is_pooled, behind_cpu_us_per_request=700), "does not hold"),
        (pooler.CLAIM, changed(pooled, is_pooled, throughput_rps=wildly("throughput_rps")), "not shown"),
        (pooler.CLAIM, changed(pooled, is_pooled, verdict="client-bound"), "inconclusive here"),
        (shards.CLAIM, written, "holds"),
        (shards.CLAIM, changed(written, is_sharded, throughput_rps=210), "does not hold"),
        (shards.CLAIM, changed(written, is_sharded, throughput_rps=wildly("throughput_rps")), "not shown"),
        (shards.CLAIM, changed(written, is_sharded, throughput_rps=None), "inconclusive here"),
        (hot_shard.CLAIM, written, "holds"),
        (hot_shard.CLAIM, changed(written, of(zipf=2.0), throughput_rps=500), "does not hold"),
        (hot_shard.CLAIM, changed(written, of(zipf=2.0), throughput_rps=wildly("throughput_rps")), "not shown"),
        (hot_shard.CLAIM, changed(written, of(zipf=2.0), verdict="invalid"), "inconclusive here"),
        (cache_law.CLAIM, by_hits, "holds"),
        (cache_law.CLAIM, changed(by_hits, half_hit, throughput_rps=3000), "does not hold"),
        (cache_law.CLAIM, changed(by_hits, half_hit, throughput_rps=wildly("throughput_rps")), "not shown"),
        (cache_law.CLAIM, changed(by_hits, half_hit, throughput_rps=None), "inconclusive here"),
        (stampede_lock.CLAIM, fetched, "holds"),
        (stampede_lock.CLAIM, changed(fetched, locked, cache_fetches=80), "does not hold"),
        (stampede_lock.CLAIM, changed(fetched, locked, cache_fetches=wildly("cache_fetches", 5)), "not shown"),
        (stampede_lock.CLAIM, changed(fetched, locked, cache_fetches=None), "inconclusive here"),
        (cache_lock.CLAIM, waited, "holds"),
        (cache_lock.CLAIM, changed(waited, of(front="nginx-cache"), latency_p99_us=51e3), "does not hold"),
        (cache_lock.CLAIM, changed(waited, of(front="varnish"), latency_p99_us=wildly("latency_p99_us")), "not shown"),
        (cache_lock.CLAIM, changed(waited, of(front="varnish"), latency_p99_us=None), "inconclusive here"),
        (broker_linear.CLAIM, handed_out, "holds"),
        (broker_linear.CLAIM, changed(handed_out, many, broker_cpu_s=0.2), "does not hold"),
        (broker_linear.CLAIM, changed(handed_out, many, broker_cpu_s=wildly("broker_cpu_s")), "not shown"),
        (broker_linear.CLAIM, changed(handed_out, many, broker_cpu_s=None), "inconclusive here"),
        (work_queue.CLAIM, kept, "holds"),
        (work_queue.CLAIM, changed(kept, of(), messages_lost=3), "does not hold"),
        (work_queue.CLAIM, changed(kept, of(block=1), messages_lost=3), "not shown"),
        (work_queue.CLAIM, changed(kept, of(block=1), messages_lost=None), "inconclusive here"),
        (rate_limit.CLAIM, admitted, "holds"),
        (rate_limit.CLAIM, changed(admitted, has_limit, latency_p99_us=700e3), "does not hold"),
        (rate_limit.CLAIM, changed(admitted, has_limit, latency_p99_us=wildly("latency_p99_us")), "not shown"),
        (rate_limit.CLAIM, changed(admitted, has_limit, limited=0), "inconclusive here"),
    ],
)
def test_each_outcome_is_found_in_rows_that_show_it(claim: Claim, measures: Measures, outcome: Outcome) -> None:
    found = claim.decide(made(claim, measures))
    assert found.outcome == outcome, found.decided


def test_the_price_of_remote_apply_is_told() -> None:
    assert "a write takes x 1.5" in remote_apply.CLAIM.decide(made(remote_apply.CLAIM, stale)).decided


def test_a_law_that_makes_reads_free_predicts_nothing() -> None:
    upside_down = changed(as_predicted, of(reads=0.95), throughput_rps=90_000.0)
    assert read_replicas.CLAIM.decide(made(read_replicas.CLAIM, upside_down)).outcome == "inconclusive here"
