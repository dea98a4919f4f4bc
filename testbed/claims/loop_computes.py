"""Requests that compute, in one event loop on one processor and on two."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/cores.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    one, two = (series(chosen(rows, model="event-loop", cpus=cpus), "throughput_rps") for cpus in (1.0, 2.0))
    return at_most(ratio(two, one), 1.15, "an event loop on two processors over the same on one")


CLAIM = Claim(
    name="loop-computes",
    statement="One event loop cannot use a second processor.",
    source="Python documentation: asyncio, running blocking code",
    link="https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code",
    question="what suits work that computes",
    sweep=SWEEP,
    predicate="Holds where an event loop whose requests compute gains at most 1.15 times by a second processor; does "
    "not hold where the interval of the ratio is wholly above.",
    decide=_decide,
    processors=3,
    quick=quick(SWEEP),
)
