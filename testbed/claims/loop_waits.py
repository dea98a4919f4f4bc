"""Requests that wait, in one event loop."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_least, chosen, level, series
from testbed.claims.sweeps import quick
from testbed.claims.threads_wait import MOST_RPS

SWEEP = "sweeps/claims/waiting.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    loop = series(chosen(rows, model="event-loop"), "throughput_rps")
    return at_least(level(loop, "requests/s"), 0.8 * MOST_RPS, "one event loop with 32 users")


CLAIM = Claim(
    name="loop-waits",
    statement="One event loop serves work that waits as well as a thread for each.",
    source="Pariag, Brecht, Harji, Buhr, Shukla, Cheriton: Comparing the performance of web server architectures, 2007",
    link="https://doi.org/10.1145/1272996.1273021",
    question="what suits work that waits",
    sweep=SWEEP,
    predicate="Holds where the event loop serves at least 0.8 of 32 requests in 20 ms; does not hold where the "
    "interval is wholly below.",
    decide=_decide,
    quick=quick(SWEEP),
)
