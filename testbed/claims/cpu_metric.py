"""An autoscaler by CPU and one by what waits, after a step in the load."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, chosen, difference, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/metric.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    queue, cpu = (
        series(chosen(rows, has("scaling", "on", value=on)), "violation_s", client=True) for on in ("queue", "cpu")
    )
    return at_most(difference(queue, cpu, "s"), 0, "seconds in violation, scaled by what waits less by CPU")


CLAIM = Claim(
    name="cpu-metric",
    statement="A CPU share saturates at 1, so scaling by it grows at most 1.67 times a decision, and comes later than "
    "by what waits.",
    source="Kubernetes documentation: horizontal pod autoscaling, algorithm details",
    link="https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
    question="what an autoscaler should read",
    sweep=SWEEP,
    predicate="Holds where the objective is broken for fewer seconds after a step with an autoscaler by what waits "
    "than by CPU; does not hold where the interval of the difference is wholly above 0.",
    decide=_decide,
    quick=quick(SWEEP),
)
