"""A server that stands still, as the load's two clocks see it."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_least, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/stall.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    due, sent = (series(chosen(rows), name, client=True) for name in ("latency_p99_us", "service_time_p99_us"))
    return at_least(ratio(due, sent), 10, "p99 from when requests were due over from when they were sent")


CLAIM = Claim(
    name="stalls-show",
    statement="A load that waits for a server which stands still omits what it should have sent meanwhile.",
    source="Tene: How NOT to Measure Latency; coordinated omission",
    link="https://github.com/giltene/wrk2",
    question="whether the measurement holds",
    sweep=SWEEP,
    predicate="A server that is stopped for 1.4 s: holds where the p99 from the moment a request was due is at least "
    "10 times that from the moment it was sent; does not hold where the interval of the ratio is wholly below.",
    decide=_decide,
    quick=quick(SWEEP),
)
