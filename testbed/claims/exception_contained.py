"""An exception in Python's code, in every model."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, chosen, in_all
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/crash.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    raised = chosen(rows, has("fault", "how", value="raise"))
    return in_all(raised, _harms_nobody, "no other request fails, and no connection is lost", client=True)


def _harms_nobody(row: Row) -> bool | None:
    failed, lost = row.get("failed"), row.get("connections_lost")
    return None if failed is None or lost is None else failed == 0 and lost == 0


CLAIM = Claim(
    name="exception-contained",
    statement="An exception harms nobody else in any model: isolation by processes is about memory faults.",
    source="Python documentation: errors and exceptions",
    link="https://docs.python.org/3/tutorial/errors.html",
    question="what a crash takes with it",
    sweep=SWEEP,
    predicate="One request raises an exception in its handler: holds where in every trial of every model no other "
    "request fails and no connection is lost; does not hold where one is in every trial.",
    decide=_decide,
    quick=quick(SWEEP),
)
