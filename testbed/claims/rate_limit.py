"""A gateway that turns away what the servers cannot do."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, at_least, at_most, chosen, each, level, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/rate-limit.yaml"
OBJECTIVE_MS = 200


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    limited, free = chosen(rows, _has_limit), chosen(rows, lambda row: not _has_limit(row))
    if not all(row.get("limited") for row in limited if row["verdict"] != "invalid"):
        raise Unanswered("a trial with a limit is not known to have turned anything away")
    return all_of(
        at_most(level(_p99_ms(limited), "ms"), OBJECTIVE_MS, "p99 of what is admitted with a limit"),
        at_least(level(_p99_ms(free), "ms"), OBJECTIVE_MS, "p99 without"),
    )


def _has_limit(row: Row) -> bool:
    return bool(row.get("rate_limit_rps"))


def _p99_ms(rows: Sequence[Row]) -> dict[int, float]:
    return each(lambda us: us / 1000, series(rows, "latency_p99_us", client=True))


CLAIM = Claim(
    name="rate-limit",
    statement="At twice the capacity a rate limit keeps the p99 of what is admitted, which is lost without one.",
    source="Google: Site Reliability Engineering, handling overload",
    link="https://sre.google/sre-book/handling-overload/",
    question="what a gateway is worth",
    sweep=SWEEP,
    predicate="Holds where the p99 of admitted requests is below 200 ms with a limit and above without; does not hold "
    "where one of the two intervals is wholly on the other side. Inconclusive where nothing was turned away.",
    decide=_decide,
    quick=quick(SWEEP),
)
