"""A switch between processes beside one between threads, on one processor."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import (
    Unanswered,
    all_of,
    answered,
    at_least,
    chosen,
    difference,
    each,
    ratio,
    series,
    within,
)
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/switches.yaml"
# Further apart the CPU time is of more switches, not of dearer ones.
ALIKE = (0.8, 1.25)


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    models = [model for model in ("mpst", "prefork") if any(row["model"] == model for row in rows)]
    if not models:
        raise Unanswered("no trial of processes")
    return all_of(*(_dearer(rows, model) for model in models))


def _dearer(rows: Sequence[Row], model: str) -> Finding:
    of_processes, of_threads = _switches(rows, model), _switches(rows, "spmt")
    alike = within(ratio(of_processes, of_threads), *ALIKE, f"switches of a request, {model} over spmt")
    if alike.outcome != "holds":
        raise Unanswered(f"no difference can be that of a switch: {alike.decided}")
    mine, others = (series(chosen(rows, model=one), "cpu_us_per_request") for one in (model, "spmt"))
    found = at_least(difference(mine, others, "us"), 0, f"CPU time of a request, {model} less spmt")
    of_each = sum(of_threads.values()) / len(of_threads)
    return replace(found, decided=f"{found.decided}, at {of_each:.2f} switches a request")


def _switches(rows: Sequence[Row], model: str) -> dict[int, float]:
    """Of each request, by block."""
    of_model = chosen(rows, model=model)
    names = ("voluntary_switches", "involuntary_switches", "ok")
    return each(lambda waited, taken, ok: (waited + taken) / ok, *(series(of_model, name) for name in names))


CLAIM = Claim(
    name="switch-cost",
    statement="A switch between processes costs more than one between threads.",
    source="Silberschatz, Galvin, Gagne: Operating System Concepts, chapter Processes",
    link="https://www.os-book.com/OS10/",
    question="what a switch costs",
    sweep=SWEEP,
    predicate="Holds where a request costs more CPU time in processes (mpst, prefork) than in threads (spmt) on the "
    "same processor; does not hold where one of the differences is wholly below zero. Inconclusive where requests "
    "make not as many switches in both, within 0.8 to 1.25.",
    decide=_decide,
    quick=quick(SWEEP),
)
