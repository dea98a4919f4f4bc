"""Ten thousand silent connections within 256 MiB."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, chosen, in_all
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/ten-thousand.yaml"
CAUSES = ("memory", "processes and threads")


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    loops, threads = (chosen(rows, model=model, idle_holders=10_000) for model in ("event-loop", "spmt"))
    processes = chosen(rows, model="mpst", idle_holders=1000)
    return all_of(
        _told(loops, False, "the event loop holds 10,000"),
        _told(threads, True, "10,000 threads run out of memory or of tasks"),
        _told(processes, True, "1,000 processes run out of memory or of tasks"),
    )


def _told(rows: Sequence[Row], runs_out: bool, what: str) -> Finding:
    """What a trial is invalid for is what is asked here, so it is no matter that it is."""
    asked = [{**row, "verdict": "not-saturated", "ran_out": _ran_out(row)} for row in rows]
    return in_all(asked, lambda row: row["ran_out"] is runs_out, what, client=True)


def _ran_out(row: Row) -> bool:
    """Whether the server did not hold them all, for a cause that is one of those claimed. Unanswered for another."""
    if row["verdict"] != "invalid" and row.get("holders_held") == row["idle_holders"]:
        return False
    reasons = str(row.get("reasons"))
    if row.get("oom_kills") or any(f"held: {cause}" in reasons for cause in CAUSES):
        return True
    raise Unanswered(f"{row.get('trial_id')} held not all, for another cause: {reasons}")


CLAIM = Claim(
    name="ten-thousand",
    statement="One event loop holds ten thousand connections where a thread or a process for each runs out of memory.",
    source="Kegel: The C10K problem",
    link="http://www.kegel.com/c10k.html",
    question="who holds many connections",
    sweep=SWEEP,
    predicate="Within 256 MiB: holds where in every trial the event loop holds 10,000 silent connections, spmt not so "
    "many and mpst not 1,000, with memory or the number of tasks named as what ran out; does not hold where one of "
    "these is so in no trial. Inconclusive where something else ran out.",
    decide=_decide,
    quick=quick(SWEEP),
)
