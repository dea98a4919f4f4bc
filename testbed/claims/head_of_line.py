"""Bare echoes beside requests that compute: in one event loop, and in processes."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, level, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/head-of-line.yaml"
# What one of the requests that compute takes of a processor.
COMPUTES_MS = 50
# What processes may have of the loop's delay, for the claim that they delay less.
LESS = 0.5


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    loop, processes = (series(chosen(rows, model=model), "echo_p99_us") for model in ("event-loop", "prefork"))
    in_ms = {block: us / 1000 for block, us in loop.items()}
    return all_of(
        at_least(level(in_ms, "ms"), COMPUTES_MS, "p99 of the echoes in one loop"),
        at_most(ratio(processes, loop), LESS, "p99 of the echoes in processes over that in one loop"),
    )


CLAIM = Claim(
    name="head-of-line",
    statement="In a single event loop a request that computes delays every other one by as long as it computes; "
    "processes it does not delay as much.",
    source="Python documentation: asyncio, running blocking code",
    link="https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code",
    question="what suits work that computes",
    sweep=SWEEP,
    predicate="Of 16 users two ask for 50 ms of computing at a time, the other 14 send bare echoes, and the latency is "
    "that of those echoes alone: holds where their p99 is at least 50 ms in one event loop, and in as many processes "
    "as there are users, on the same one processor, at most half of that; does not hold where the interval of one of "
    "the two is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
