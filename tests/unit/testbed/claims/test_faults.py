"""Claims about what goes wrong on purpose: each outcome with made rows."""

import pytest

from testbed.claims import crash_isolated, exception_contained, stalls_show, stopped_replica
from testbed.claims.claim import Claim, Outcome
from testbed.claims.selecting import inside
from tests.unit.testbed.claims.made import Measures, Row, changed, made, noisy, of, wildly

HOW = inside("fault", "how")


def is_shared(row: Row) -> bool:
    return row["model"] in ("spmt", "event-loop")


def crashed(row: Row) -> Row:
    """The one process takes the service with it; an exception nobody."""
    down = is_shared(row) and HOW(row) == "segv"
    found = {"connections_lost": 4 if down else 0, "failed": 800 if down else 0, "verdict": "transient"}
    return {**found, "outage_s": 4.0 if down else 0.0, "outage_over": not down}


def segv(row: Row) -> bool:
    return bool(HOW(row) == "segv")


def stood(row: Row) -> Row:
    return {"latency_p99_us": noisy(row, 1.3e6), "service_time_p99_us": noisy(row, 2e3), "verdict": "transient"}


def frozen(row: Row) -> Row:
    found = {"latency_p99_us": 3.9e6 if row["front"] == "haproxy" else 510e3, "outage_s": 0.5, "verdict": "transient"}
    return {**found, "ejected_after_s": None if row["front"] == "haproxy" else 0.9}


HAPROXY, ENVOY = of(front="haproxy"), of(front="envoy")


@pytest.mark.parametrize(
    ("claim", "measures", "outcome"),
    [
        (crash_isolated.CLAIM, crashed, "holds"),
        (crash_isolated.CLAIM, changed(crashed, segv, outage_s=3.0, connections_lost=9), "does not hold"),
        (crash_isolated.CLAIM, changed(crashed, segv, outage_over=lambda row: row["block"] == 1), "not shown"),
        (crash_isolated.CLAIM, changed(crashed, segv, outage_s=None, outage_over=None), "inconclusive here"),
        (exception_contained.CLAIM, crashed, "holds"),
        (exception_contained.CLAIM, changed(crashed, of(), failed=3), "does not hold"),
        (exception_contained.CLAIM, changed(crashed, of(model="spmt"), failed=3), "not shown"),
        (exception_contained.CLAIM, changed(crashed, of(model="spmt"), connections_lost=None), "inconclusive here"),
        (stalls_show.CLAIM, stood, "holds"),
        (stalls_show.CLAIM, changed(stood, of(), service_time_p99_us=1.2e6), "does not hold"),
        (stalls_show.CLAIM, changed(stood, of(), service_time_p99_us=wildly("service_time_p99_us", 50)), "not shown"),
        (stalls_show.CLAIM, changed(stood, of(), service_time_p99_us=None), "inconclusive here"),
        (stopped_replica.CLAIM, frozen, "holds"),
        (stopped_replica.CLAIM, changed(frozen, ENVOY, ejected_after_s=None), "does not hold"),
        (stopped_replica.CLAIM, changed(frozen, HAPROXY, latency_p99_us=lambda row: row["block"] * 1e6), "not shown"),
        (stopped_replica.CLAIM, changed(frozen, of(), ejected_after_s=None, outage_s=None), "inconclusive here"),
    ],
)
def test_each_outcome_is_found_in_rows_that_show_it(claim: Claim, measures: Measures, outcome: Outcome) -> None:
    found = claim.decide(made(claim, measures))
    assert found.outcome == outcome, found.decided
