"""Two users who keep their connections, and a server that takes one at a time."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, chosen, in_all
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/second-client.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    alone, others = chosen(rows, model="spst"), chosen(rows, lambda row: row["model"] != "spst")
    return all_of(
        in_all(alone, _waits, "spst serves one of two and the other waits in the accept queue", client=True),
        in_all(others, lambda row: _starved(row, 0), "no other model lets a user wait", client=True),
    )


def _waits(row: Row) -> bool | None:
    starved, queue = _starved(row, 1), row.get("accept_queue_max")
    return None if starved is None or queue is None else starved and queue >= 1


def _starved(row: Row, count: int) -> bool | None:
    found = row.get("users_starved")
    return None if found is None else found == count


CLAIM = Claim(
    name="second-client",
    statement="An iterative server makes a second client wait until the first has left; a concurrent one does not.",
    source="Stevens, Fenner, Rudoff: UNIX Network Programming, volume 1, 3rd edition, chapter 30",
    link="https://github.com/unpbook/unpv13e",
    question="which design serves clients at once",
    sweep=SWEEP,
    predicate="Holds where in every trial of spst one of two users is starved, with a connection in the accept queue, "
    "and in every trial of every other model none is; does not hold where one of the two is so in no trial.",
    decide=_decide,
    quick=quick(SWEEP),
)
