"""One container, or four with a quarter of its CPU each."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/one-or-four.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    one, four = (chosen(rows, replicas=count) for count in (1, 4))
    served, slowest = (
        ratio(*(series(these, name) for these in (four, one))) for name in ("throughput_rps", "latency_p99_us")
    )
    return all_of(
        at_most(served, 1.05, "requests/s, four replicas of 0.25 CPU over one of 1"),
        at_least(slowest, 1, "p99, four replicas over one"),
    )


CLAIM = Claim(
    name="scale-out",
    statement="Four replicas of a quarter CPU serve no more than one of a whole, with a worse p99: quotas do not pool.",
    source="Linux kernel documentation: CFS bandwidth control; of pooled servers, Kleinrock: Queueing Systems, volume "
    "2",
    link="https://docs.kernel.org/scheduler/sched-bwc.html",
    question="one large or several small",
    sweep=SWEEP,
    predicate="Of a model without a bound on connections: holds where four serve at most 1.05 times what one does, "
    "and their p99 is above; does not hold where the interval of one of the ratios is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
