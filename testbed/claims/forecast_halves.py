"""Whether a forecast halves the seconds in violation."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, at_most, each, level
from testbed.claims.forecast import QUESTION, SWEEP, both
from testbed.claims.sweeps import quick


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    beyond_half = each(lambda ahead, reacts: ahead - reacts / 2, *both(rows, "violation_s"))
    return at_most(level(beyond_half, "s"), 0, "seconds in violation with a forecast less half of those without")


CLAIM = Claim(
    name="forecast-halves",
    statement="A forecast halves the seconds in violation under a periodic load.",
    source="Holt-Winters forecasts in an autoscaler: Predictive Horizontal Pod Autoscaler",
    link="https://github.com/jthomperoo/predictive-horizontal-pod-autoscaler",
    question=QUESTION,
    sweep=SWEEP,
    predicate="Holds where the objective is broken for less than half as many seconds with a forecast as without; "
    "does not hold where the interval of the difference is wholly above 0.",
    decide=_decide,
    quick=quick(SWEEP),
)
