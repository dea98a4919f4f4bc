"""An autoscaler that forecasts, beside one that reacts, at about the same price."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_most, chosen, difference, ratio, series
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/season.yaml"
QUESTION = "what a forecast is worth"


def both(rows: Sequence[Row], column: str) -> tuple[dict[int, float], dict[int, float]]:
    """The column by block, with a forecast and without."""
    methods = ("holt-winters", None)
    forecasts, reacts = (
        series(chosen(rows, has("scaling", "forecast", value=method)), column, client=True) for method in methods
    )
    return forecasts, reacts


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    return all_of(
        at_most(difference(*both(rows, "violation_s"), "s"), 0, "seconds in violation, forecast less reaction"),
        at_most(ratio(*both(rows, "cpu_reserved_s")), 1.1, "CPU reserved, forecast over reaction"),
    )


CLAIM = Claim(
    name="forecast",
    statement="Scaling ahead of a periodic load breaks the objective for fewer seconds than reacting, at hardly more "
    "CPU.",
    source="AWS documentation: predictive scaling for Amazon EC2 Auto Scaling",
    link="https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-predictive-scaling.html",
    question=QUESTION,
    sweep=SWEEP,
    predicate="Holds where the objective is broken for fewer seconds with a forecast than without, and at most 1.1 "
    "times the CPU-seconds are reserved; does not hold where one of the intervals is wholly on the other side.",
    decide=_decide,
    quick=quick(SWEEP),
)
