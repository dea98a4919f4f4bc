"""What it costs to add to one count of all under a lock, beside a count of one's own."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, at_least, chosen, difference, each, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/shared-counter.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    models = [model for model in ("spmt", "prefork") if any(row["model"] == model for row in rows)]
    if not models:
        raise Unanswered("no trial of threads or processes")
    return all_of(*(_dearer(rows, model) for model in models))


def _dearer(rows: Sequence[Row], model: str) -> Finding:
    shared, own = (series(chosen(rows, model=model, counter=one), "cpu_us_per_request") for one in ("shared", "own"))
    found = at_least(difference(shared, own, "us"), 0, f"CPU time of a request in {model}, shared less own")
    waits = each(lambda one, other: one - other, _waits(rows, model, "shared"), _waits(rows, model, "own"))
    return replace(found, decided=f"{found.decided}, with {sum(waits.values()) / len(waits):+.2f} waits")


def _waits(rows: Sequence[Row], model: str, counter: str) -> dict[int, float]:
    """Voluntary switches of each request, by block."""
    these = chosen(rows, model=model, counter=counter)
    return each(lambda switches, ok: switches / ok, series(these, "voluntary_switches"), series(these, "ok"))


CLAIM = Claim(
    name="shared-counter",
    statement="State that workers share under a lock costs every request CPU time; state of their own does not.",
    source="McKenney: Is Parallel Programming Hard, And, If So, What Can You Do About It?, chapter Counting",
    link="https://mirrors.edge.kernel.org/pub/linux/kernel/people/paulmck/perfbook/perfbook.html",
    question="what shared state costs",
    sweep=SWEEP,
    predicate="Each request adds one to a count. Holds where a request costs more CPU time with one count of all under "
    "a lock than with a count of each, in threads (spmt) and in processes (prefork); does not hold where one of the "
    "differences is wholly below zero.",
    decide=_decide,
    quick=quick(SWEEP),
)
