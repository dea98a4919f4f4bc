"""A fault in native code in one of the processes, and in the only one."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, chosen, in_all
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/crash.yaml"
PROCESSES = ("mpst", "prefork")
# A worker of these serves one connection.
OF_A_WORKER = 1


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    crashed = chosen(rows, has("fault", "how", value="segv"))
    isolated, shared = (
        [row for row in crashed if (row["model"] in PROCESSES) is of_processes] for of_processes in (True, False)
    )
    return all_of(
        in_all(isolated, _is_contained, "processes lose the connections of one worker, for less than 1 s", client=True),
        in_all(shared, _is_down, "threads and loop are down until the window closes", client=True),
    )


def _is_contained(row: Row) -> bool | None:
    lost, outage = row.get("connections_lost"), row.get("outage_s")
    return None if lost is None or outage is None else lost <= OF_A_WORKER and outage < 1


def _is_down(row: Row) -> bool | None:
    over = row.get("outage_over")
    return None if over is None else not over


CLAIM = Claim(
    name="crash-isolated",
    statement="Processes isolate a crash: one worker's clients are harmed, where threads take the whole service with "
    "them.",
    source="Silberschatz, Galvin, Gagne: Operating System Concepts; Chrome's processes are its example",
    link="https://www.os-book.com/OS10/",
    question="what a crash takes with it",
    sweep=SWEEP,
    predicate="One request in 200 a second ends its process by SIGSEGV: holds where in every trial of mpst and "
    "prefork at most one connection is lost and the outage is below 1 s, and in every trial of spmt and the event "
    "loop it lasts until the window closes; does not hold where one of the two is so in no trial.",
    decide=_decide,
    quick=quick(SWEEP),
)
