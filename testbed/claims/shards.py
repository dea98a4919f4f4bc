"""Two shards, each with the CPU that one database had."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_least, chosen, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/shards.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    two, one = (
        series(chosen(rows, has("behind", "postgres", "shards", value=count), zipf=0.0), "throughput_rps")
        for count in (2, 1)
    )
    return at_least(ratio(two, one), 1.7, "writes/s of two shards over one database")


CLAIM = Claim(
    name="shards",
    statement="Writes scale with shards: two machines write nearly twice as much as one.",
    source="Citus documentation: concepts",
    link="https://docs.citusdata.com/en/stable/get_started/concepts.html",
    question="what shards are worth",
    sweep=SWEEP,
    predicate="Each shard with as much CPU as one database: holds where two write at least 1.7 times as many single "
    "keys, asked for alike; does not hold where the interval of the ratio is wholly below.",
    decide=_decide,
    quick=quick(SWEEP),
)
