"""What a held connection costs in memory, in an event loop and as a thread."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, ratio
from testbed.claims.selecting import slope
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/holders.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    loop, threads = (slope(rows, model, "pss_bytes") for model in ("event-loop", "spmt"))
    return at_most(ratio(loop, threads), 1, "memory (PSS) of one more connection, in the loop over as a thread")


CLAIM = Claim(
    name="loop-memory",
    statement="A connection costs an event loop less memory than a thread.",
    source="Kegel: The C10K problem",
    link="http://www.kegel.com/c10k.html",
    question="what a connection costs in memory",
    sweep=SWEEP,
    predicate="Holds where PSS grows less with each held connection of the event loop than of spmt (least squares in a "
    "block); does not hold where the interval of the ratio is wholly above 1.",
    decide=_decide,
    quick=quick(SWEEP),
)
