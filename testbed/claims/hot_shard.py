"""Two shards, and a key that is written most."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, chosen, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/shards.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    both = has("behind", "postgres", "shards", value=2)
    hot, alike = (series(chosen(rows, both, zipf=zipf), "throughput_rps") for zipf in (2.0, 0.0))
    return at_most(ratio(hot, alike), 1, "writes/s of two shards, with a hot key over with keys alike")


CLAIM = Claim(
    name="hot-shard",
    statement="With a hot key one shard is full while the other waits, and less is served.",
    source="Amazon DynamoDB documentation: partition keys that distribute the workload",
    link="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
    question="what shards are worth",
    sweep=SWEEP,
    predicate="Holds where two shards write less with keys by Zipf's law of exponent 2 than with keys alike; does not "
    "hold where the interval of the ratio is wholly above 1.",
    decide=_decide,
    quick=quick(SWEEP),
)
