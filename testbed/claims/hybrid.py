"""Processes with threads beside either alone, for requests that wait and compute."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, chosen, in_all, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/hybrid.yaml"
OTHERS = ("prefork", "thread-pool", "event-loop", "prefork-event-loop")
OBJECTIVE_US = 250_000


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    hybrid = chosen(rows, model="mpmt")
    served = series(hybrid, "throughput_rps")
    others = {model: series(chosen(rows, model=model), "throughput_rps") for model in OTHERS}
    return all_of(
        in_all(hybrid, _holds, "the hybrid's p99 is within 250 ms"),
        *(at_least(ratio(served, other), 1, f"the hybrid over {model}") for model, other in others.items()),
    )


def _holds(row: Row) -> bool | None:
    found = row.get("latency_p99_us")
    return None if found is None else found <= OBJECTIVE_US


CLAIM = Claim(
    name="hybrid",
    statement="Processes with threads scale best for work that both waits and computes.",
    source="Apache HTTP Server documentation: the worker module",
    link="https://httpd.apache.org/docs/2.4/mod/worker.html",
    question="what suits work that waits and computes",
    sweep=SWEEP,
    predicate="Four processes of eight threads each, three processors: holds where they serve more than each of "
    "prefork (32), a pool of 32 threads, an event loop and four of them, with a p99 within 250 ms in every trial; "
    "does not hold where the interval of one of the ratios is wholly below 1, or no trial is within the 250 ms.",
    decide=_decide,
    processors=4,
    quick=quick(SWEEP),
)
