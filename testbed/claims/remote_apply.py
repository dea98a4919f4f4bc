"""Commits that wait until the standbys have applied them."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, answered, chosen, in_all, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/standbys.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    standby = has("behind", "postgres", "standbys", value=2)
    waits, plain = (
        chosen(rows, standby, has("behind", "postgres", "commit", value=commit), reads=0.5)
        for commit in ("remote_apply", "on")
    )
    if not any(row.get("stale") for row in plain):
        raise Unanswered("no read is known to be stale without remote_apply either")
    found = in_all(waits, _none_stale, "no read is stale with remote_apply", client=True)
    checked = sum(row["reads_checked"] or 0 for row in waits)
    price = ratio(*(series(these, "write_p50_us", client=True) for these in (waits, plain)))
    return replace(found, decided=f"{found.decided}, of {checked:,} reads; a write takes {price.shown} in the median")


def _none_stale(row: Row) -> bool | None:
    stale, checked = row.get("stale"), row.get("reads_checked")
    return None if stale is None or not checked else stale == 0


CLAIM = Claim(
    name="remote-apply",
    statement="With remote_apply no read of a standby is stale.",
    source="PostgreSQL documentation: synchronous_commit",
    link="https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT",
    question="how stale standbys are",
    sweep=SWEEP,
    predicate="Holds where in every trial with remote_apply no read that could be found stale is; does not hold where "
    "some are in every trial. Inconclusive where none is without it either.",
    decide=_decide,
    quick=quick(SWEEP),
)
