"""One queue before all servers, or one in each, chosen at random."""

from collections.abc import Callable, Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/queues.yaml"
QUESTION = "where connections should wait"


def against(what: str, **other: str) -> Callable[[Sequence[Row]], Finding]:
    """The predicate of one central queue against that system."""

    @answered
    def decide(rows: Sequence[Row]) -> Finding:
        central, many = (
            series(chosen(rows, **system), "latency_p99_us")
            for system in ({"front": "haproxy", "queue": "front"}, other)
        )
        return at_most(ratio(central, many), 1, f"p99, one queue over {what}")

    return decide


CLAIM = Claim(
    name="central-queue",
    statement="One queue before several servers beats a queue in each that clients choose at random.",
    source="Harchol-Balter: Performance Modeling and Design of Computer Systems, chapter 14 and 24",
    link="https://www.cs.cmu.edu/~harchol/PerformanceModeling/book.html",
    question=QUESTION,
    sweep=SWEEP,
    predicate="At 80 % load: holds where the p99 with HAProxy's queue is below that with DNS; does not hold where the "
    "interval of the ratio is wholly above 1.",
    decide=against("queues chosen at random (DNS)", front="dns"),
    quick=quick(SWEEP),
)
