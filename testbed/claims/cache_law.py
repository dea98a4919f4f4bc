"""Capacity with a cache by its share of hits."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, chosen, each, ratio, series, within
from testbed.claims.selecting import has, inside
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/cache-law.yaml"
_HITS = inside("behind", "valkey", "hits")


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    misses, hits = (_served(rows, share) for share in (0.0, 1.0))
    between = sorted({_HITS(row) for row in rows} - {0.0, 1.0, None})
    if not between:
        raise Unanswered("no trial with some hits and some misses")
    return all_of(*(_by_the_law(rows, share, misses, hits) for share in between))


def _served(rows: Sequence[Row], share: float) -> dict[int, float]:
    return series(chosen(rows, has("behind", "valkey", "hits", value=share)), "throughput_rps")


def _by_the_law(rows: Sequence[Row], share: float, misses: dict[int, float], hits: dict[int, float]) -> Finding:
    law = each(lambda miss, hit: 1 / (share / hit + (1 - share) / miss), misses, hits)
    return within(ratio(_served(rows, share), law), 0.9, 1.1, f"capacity at {share:.0%} hits over that of the law")


CLAIM = Claim(
    name="cache-law",
    statement="Capacity with a cache is that of hits and of misses by their shares: 1 / (h / hits + (1 - h) / misses).",
    source="Hennessy, Patterson: Computer Architecture, average access time of a memory hierarchy",
    link="https://github.com/valkey-io/valkey",
    question="what a cache is worth",
    sweep=SWEEP,
    predicate="With capacity at no hits and at all hits known, holds where that at each share between is within 10 % "
    "of the law; does not hold where the interval of one lies wholly outside.",
    decide=_decide,
    quick=quick(SWEEP),
)
