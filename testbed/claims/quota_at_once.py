"""A CPU limit that is changed while the server runs."""

from collections.abc import Sequence
from dataclasses import replace

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, chosen, in_all
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/quota.yaml"
WITHIN_S = 2.0


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    changed = chosen(rows)
    found = in_all(changed, _at_once, "90 % of the new limit is used within two seconds", client=True)
    took = [row["quota_followed_s"] for row in changed]
    shown = f"{max(took):.2g} s at the most"
    return replace(found, figure=shown, estimate=max(took), low=min(took), high=max(took), bound=WITHIN_S)


def _at_once(row: Row) -> bool | None:
    found = row.get("quota_followed_s")
    return None if found is None else found <= WITHIN_S


CLAIM = Claim(
    name="quota-at-once",
    statement="A larger CPU limit is used at once by a server that runs, without a restart.",
    source="Kubernetes documentation: resize CPU and memory resources assigned to containers",
    link="https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/",
    question="what more CPU is worth",
    sweep=SWEEP,
    predicate="Holds where in every trial the first whole second that uses 90 % of the new limit begins within 2 s of "
    "the change; does not hold where it does in none.",
    decide=_decide,
    quick=quick(SWEEP),
)
