"""A pooler before a database whose clients come and go."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, in_all, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/pooler.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    pooled, plain = (chosen(rows, has("behind", "postgres", "pooler", value=name)) for name in ("pgbouncer", "none"))
    served, spent = (
        ratio(*(series(these, column) for these in (pooled, plain)))
        for column in ("throughput_rps", "behind_cpu_us_per_request")
    )
    return all_of(
        in_all(plain, lambda row: row["verdict"] == "backend-bound", "the database is what is full without a pooler"),
        at_least(served, 1, "requests/s, with PgBouncer over without"),
        at_most(spent, 0.5, "CPU of database and pooler for a request, with PgBouncer over without"),
    )


CLAIM = Claim(
    name="pooler",
    statement="Where clients come and go a pooler spares the database a process for each, and more is served.",
    source="PgBouncer documentation; PostgreSQL documentation: how connections are established",
    link="https://www.pgbouncer.org/features.html",
    question="what a pooler is worth",
    sweep=SWEEP,
    predicate="A process and a database connection for each client of 20 requests: holds where the database is what "
    "is full without PgBouncer, more is served with it, and CPU behind for a request is at most half; does not hold "
    "where one of these is wholly otherwise.",
    decide=_decide,
    quick=quick(SWEEP),
)
