"""What each further subscriber costs a broker."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import answered, chosen, each, ratio, series, within
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/patterns/publish-subscribe.yaml"
FEW, SOME, MANY = 1, 4, 16


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    few, some, many = (_broker(rows, count) for count in (FEW, SOME, MANY))
    straight = each(lambda one, four: one + (four - one) * (MANY - FEW) / (SOME - FEW), few, some)
    what = f"CPU of the broker with {MANY} subscribers over the straight line through {FEW} and {SOME}"
    return within(ratio(many, straight), 0.85, 1.15, what)


def _broker(rows: Sequence[Row], count: int) -> dict[int, float]:
    """Its own CPU time says what it did, whether or not the generator kept its schedule."""
    these = chosen(rows, has("behind", "nats", "subscribers", value=count))
    used, window = (series(these, name, client=True) for name in ("broker_cpu_s", "window_s"))
    return each(lambda cpu, seconds: cpu / seconds, used, window)


CLAIM = Claim(
    name="broker-linear",
    statement="A broker's CPU grows linearly with its subscribers.",
    source="NATS documentation: publish-subscribe",
    link="https://docs.nats.io/nats-concepts/core-nats/pubsub",
    question="what a subscriber costs",
    sweep=SWEEP,
    predicate="At the same rate of messages: holds where the broker's CPU with 16 subscribers is within 15 % of the "
    "straight line through 1 and 4; does not hold where the interval lies wholly outside.",
    decide=_decide,
    quick=quick(SWEEP),
)
