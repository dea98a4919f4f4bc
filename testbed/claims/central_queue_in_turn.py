"""One queue before all servers, or one in each, chosen in turn."""

from testbed.claims.central_queue import QUESTION, SWEEP, against
from testbed.claims.claim import Claim
from testbed.claims.sweeps import quick

CLAIM = Claim(
    name="central-queue-in-turn",
    statement="One queue before several servers beats a queue in each that a balancer chooses in turn.",
    source="HAProxy documentation: maxconn of a server",
    link="https://docs.haproxy.org/2.8/configuration.html",
    question=QUESTION,
    sweep=SWEEP,
    predicate="At 80 % load: holds where the p99 with HAProxy's queue is below that with the servers' queues behind "
    "the same HAProxy; does not hold where the interval of the ratio is wholly above 1.",
    decide=against("queues chosen in turn", front="haproxy", queue="server"),
    quick=quick(SWEEP),
)
