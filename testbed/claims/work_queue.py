"""A worker killed in the middle of a task."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, chosen, in_all
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/killed-worker.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    killed = chosen(rows)
    found = in_all(killed, _none_lost, "no task is lost", client=True)
    sent, again = (sum(row.get(name) or 0 for row in killed) for name in ("messages_sent", "messages_repeated"))
    return replace(found, decided=f"{found.decided}; of {sent:,} tasks {again:,} were done twice")


def _none_lost(row: Row) -> bool | None:
    lost = row.get("messages_lost")
    return None if lost is None or not row.get("messages_sent") else lost == 0


CLAIM = Claim(
    name="work-queue",
    statement="A work queue with acknowledgements loses no task when a worker dies at one.",
    source="RabbitMQ documentation: consumer acknowledgements and publisher confirms",
    link="https://www.rabbitmq.com/docs/confirms",
    question="what a work queue loses",
    sweep=SWEEP,
    predicate="With one of four workers killed by SIGKILL: holds where in every trial no confirmed task is lost; does "
    "not hold where some are in every trial. Inconclusive where one is not known.",
    decide=_decide,
    quick=quick(SWEEP),
)
