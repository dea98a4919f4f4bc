"""Requests of each process of a pool: one queue of connections for all, and one for each."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, chosen, in_all, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/balance.yaml"
EVEN = 0.9


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    shared, apart = (chosen(rows, model=model) for model in ("prefork", "prefork-reuseport"))
    # By the servers' own counts: a full generator is no matter.
    mine, others = (series(these, "jain_served", client=True) for these in (shared, apart))
    found = all_of(
        in_all(shared, lambda row: _at_least(mine, row, EVEN), f"Jain's index with one queue at least {EVEN}", True),
        in_all(shared, lambda row: _at_least(mine, row, others.get(row["block"])), "no less than with one each", True),
    )
    told = ", ".join(f"{median(one.values()):.2f} {name}" for one, name in ((mine, "one queue"), (others, "one each")))
    return replace(found, figure=f"{told}; {found.figure}")


def _at_least(index: dict[int, float], row: Row, bound: float | None) -> bool | None:
    mine = index.get(row["block"])
    return None if mine is None or bound is None else mine >= bound


CLAIM = Claim(
    name="prefork-balance",
    statement="Preforked processes that accept from one queue balance by themselves, and more evenly than with a queue "
    "for each.",
    source="Cloudflare: Why does one NGINX worker take all the load? (of accept that blocks)",
    link="https://blog.cloudflare.com/the-sad-state-of-linux-socket-balancing/",
    question="who balances",
    sweep=SWEEP,
    predicate="Of 64 connections that stay and 64 processes that serve one at a time: holds where Jain's index of the "
    "requests that each process has served, by its own count, is at least 0.9 for prefork, and no less than for "
    "prefork-reuseport in the same block, in every trial; does not hold where one of the two is so in none.",
    decide=_decide,
    quick=quick(SWEEP),
)
