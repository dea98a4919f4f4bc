"""Requests in flight, as a trigger."""

from testbed.claims.claim import Claim
from testbed.claims.sweeps import quick
from testbed.claims.triggering import QUESTION, SWEEP, deciding

CLAIM = Claim(
    name="trigger-in-flight",
    statement="Requests in flight tell early that a server needs more.",
    source="Google Cloud Run documentation: about instance autoscaling, by concurrency",
    link="https://cloud.google.com/run/docs/about-instance-autoscaling",
    question=QUESTION,
    sweep=SWEEP,
    predicate="Holds where it fires at least 2 s before the objective breaks in every ramp, and never under a steady "
    "load under which the objective holds; does not hold where one of the two is so in no trial. The figure is the "
    "median lead with its range.",
    decide=deciding("in_flight"),
    quick=quick(SWEEP),
)
