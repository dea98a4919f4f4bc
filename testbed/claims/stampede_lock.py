"""A key that everybody reads expires, with a lock and without."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, chosen, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/patterns/stampede.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    locked, free = (
        series(chosen(rows, has("behind", "valkey", "lock", value=lock)), "cache_fetches", client=True)
        for lock in (True, False)
    )
    return at_most(ratio(locked, free), 0.5, "reads of the database for want of the entry, with a lock over without")


CLAIM = Claim(
    name="stampede-lock",
    statement="A lock keeps the database from being asked by all at once when a key that everybody reads expires.",
    source="Nishtala and others: Scaling Memcache at Facebook, section 3.2.1, leases",
    link="https://www.usenix.org/conference/nsdi13/technical-sessions/presentation/nishtala",
    question="what happens when a key expires",
    sweep=SWEEP,
    predicate="Holds where with a lock the database is read at most half as often as without; does not hold where the "
    "interval of the ratio is wholly above 0.5.",
    decide=_decide,
    quick=quick(SWEEP),
)
