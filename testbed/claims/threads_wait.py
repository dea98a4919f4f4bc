"""Requests that wait: threads beside one at a time."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, chosen, level, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/waiting.yaml"
# 32 users whose requests wait 20 ms get so many a second where nothing else takes time.
MOST_RPS = 32 / 0.020


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    threads, alone = (series(chosen(rows, model=model), "throughput_rps") for model in ("thread-pool", "spst"))
    found = all_of(
        at_least(ratio(threads, alone), 10, "32 threads over one at a time, requests/s"),
        at_least(level(threads, "requests/s"), 0.8 * MOST_RPS, "32 threads"),
    )
    beside = _processes(rows)
    return replace(found, decided=f"{found.decided}{beside}")


def _processes(rows: Sequence[Row]) -> str:
    """What 32 processes were beside the threads, which nothing was claimed of."""
    if not any(row["model"] == "prefork" for row in rows):
        return ""
    pools = [chosen(rows, model=model) for model in ("prefork", "thread-pool")]
    served, memory = (ratio(*(series(pool, name) for pool in pools)) for name in ("throughput_rps", "pss_bytes"))
    return f"; 32 processes serve {served.shown} of the threads, with {memory.shown} of their memory"


CLAIM = Claim(
    name="threads-wait",
    statement="Threads suit work that waits: 32 of them serve ten times what one at a time does.",
    source="Silberschatz, Galvin, Gagne: Operating System Concepts, chapter Threads & Concurrency",
    link="https://www.os-book.com/OS10/",
    question="what suits work that waits",
    sweep=SWEEP,
    predicate="Holds where a pool of 32 threads serves at least 10 times what spst does, and at least 0.8 of 32 "
    "requests in 20 ms; does not hold where the interval of one of the two is wholly below.",
    decide=_decide,
    quick=quick(SWEEP),
)
