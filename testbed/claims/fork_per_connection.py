"""What it costs to make a process or a thread for each connection, as the classic table of server designs has it."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, chosen, difference, each, level, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/per-connection.yaml"
# The book's own summary is a factor of 10 or more for either pool.
POOLED = 5


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    spent = {
        model: series(chosen(rows, model=model), "cpu_us_per_request") for model in ("spst", "mpst", "prefork", "spmt")
    }
    forks, pool = (each(lambda one, base: one - base, spent[model], spent["spst"]) for model in ("mpst", "prefork"))
    spared = each(lambda fork, pooled: fork - POOLED * pooled, forks, pool)
    found = all_of(
        at_least(level(spared, "us"), 0, f"a fork for each connection less {POOLED} times a pool of processes"),
        at_least(difference(spent["mpst"], spent["spmt"], "us"), 0, "a fork less a new thread for each connection"),
    )
    return replace(found, decided=f"{found.decided}; {_table(rows)}")


def _table(rows: Sequence[Row]) -> str:
    """CPU time of a connection beyond the sequential server's, of each design: the column of the book's table."""
    base = series(chosen(rows, model="spst"), "cpu_us_per_request")
    designs = sorted({str(row["model"]) for row in rows} - {"spst"})
    beyond = [
        f"{model} {difference(series(chosen(rows, model=model), 'cpu_us_per_request'), base, 'us').shown}"
        for model in designs
    ]
    return f"beyond the sequential server's, a connection: {', '.join(beyond)}; the book: pools spare a factor of 10"


CLAIM = Claim(
    name="fork-per-connection",
    statement="A process for each connection costs far more than a pool of them, and a thread less than a process.",
    source="Stevens, Fenner, Rudoff: UNIX Network Programming, volume 1, 3rd edition, figure 30.1 and section 30.13",
    link="https://github.com/unpbook/unpv13e",
    question="what making processes and threads costs",
    sweep=SWEEP,
    predicate="Of CPU time for a connection beyond that of the sequential server: holds where that of a fork for each "
    "is at least 5 times that of preforked processes, and that of a thread for each is below that of a fork; does not "
    "hold where one of the two is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
