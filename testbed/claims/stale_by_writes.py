"""Stale reads of standbys by the share of writes."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_least, chosen, difference, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/standbys.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    where = has("behind", "postgres", "standbys", value=2), has("behind", "postgres", "commit", value="on")
    many, few = (series(chosen(rows, *where, reads=reads), "stale_share", client=True) for reads in (0.5, 0.95))
    return at_least(difference(many, few, "of the reads"), 0, "stale reads, with 50 % of writes less with 5 %")


CLAIM = Claim(
    name="stale-by-writes",
    statement="The more is written, the more reads of an asynchronous standby are stale.",
    source="PostgreSQL documentation: hot standby",
    link="https://www.postgresql.org/docs/current/hot-standby.html",
    question="how stale standbys are",
    sweep=SWEEP,
    predicate="Holds where a greater share of the reads is stale with half of the requests writing than with 5 %; "
    "does not hold where the interval of the difference is wholly below 0.",
    decide=_decide,
    quick=quick(SWEEP),
)
