"""A replica that stands still, behind a balancer of connections and behind a proxy of HTTP."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, chosen, in_all
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/stopped-replica.yaml"
# The replica stands still for 4 s, and has a third of the requests.
HALF_OF_IT_US = 2_000_000
WITHIN_S = 2.0


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    connections, requests = (chosen(rows, front=front) for front in ("haproxy", "envoy"))
    return all_of(
        in_all(connections, _goes_on, "HAProxy goes on to send it connections", client=True),
        in_all(requests, _is_ejected, "Envoy ejects it within 2 s", client=True),
    )


def _goes_on(row: Row) -> bool | None:
    """Whether 1 % or more of the requests waited for half of the time or longer."""
    found = row.get("latency_p99_us")
    return None if found is None else found >= HALF_OF_IT_US


def _is_ejected(row: Row) -> bool | None:
    found = row.get("ejected_after_s")
    if found is None and row.get("outage_s") is not None:
        return False
    return None if found is None else found <= WITHIN_S


CLAIM = Claim(
    name="stopped-replica",
    statement="A replica that stands still trips no breaker of TCP connections, since its kernel completes "
    "handshakes; a time-out of HTTP does.",
    source="Envoy documentation: outlier detection",
    link="https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier",
    question="what a mesh is worth",
    sweep=SWEEP,
    predicate="One of three replicas stopped for 4 s: holds where in every trial the p99 behind HAProxy is at least 2 "
    "s, and Envoy, which gives up a request after 500 ms, ejects the replica within 2 s; does not hold where one of "
    "the two is so in no trial.",
    decide=_decide,
    quick=quick(SWEEP),
)
