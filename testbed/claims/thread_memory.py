"""What a held connection costs in memory, as a thread and as a process."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, ratio, series
from testbed.claims.selecting import slope
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/holders.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    threads, processes = (slope(rows, model, "pss_bytes") for model in ("spmt", "mpst"))
    most = max(row["idle_holders"] for row in rows)
    full = chosen(rows, model="mpst", idle_holders=most)
    rss, pss = (series(full, name, client=True) for name in ("rss_bytes", "pss_bytes"))
    return all_of(
        at_most(ratio(threads, processes), 1, "memory (PSS) of one more connection, a thread's over a process's"),
        at_least(ratio(rss, pss), 2, f"what RSS adds up to over PSS, of processes with {most} connections"),
    )


CLAIM = Claim(
    name="thread-memory",
    statement="A thread costs less memory than a process, though less so than RSS makes believe.",
    source="Silberschatz, Galvin, Gagne: Operating System Concepts; of RSS: Freund, Measuring the memory overhead of a "
    "Postgres connection",
    link="https://blog.anarazel.de/2020/10/07/measuring-the-memory-overhead-of-a-postgres-connection/",
    question="what a connection costs in memory",
    sweep=SWEEP,
    predicate="Holds where PSS grows less with each held connection of spmt than of mpst (least squares in a block), "
    "and the RSS of mpst's processes adds up to at least twice their PSS; does not hold where the interval of one of "
    "the ratios is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
