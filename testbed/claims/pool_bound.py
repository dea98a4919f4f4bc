"""More processors than a pool has processes."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Sample, Unanswered, answered, at_least, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/cores.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    usable = at_least(_gain(rows, 2), 1.5, "two processes, by a second processor")
    if usable.outcome != "holds":
        raise Unanswered(f"a second processor is not shown to be of use to anybody here: {usable.decided}")
    return at_most(_gain(rows, 1), 1.1, "one process, by a second processor")


def _gain(rows: Sequence[Row], workers: int) -> Sample:
    """What prefork with so many workers serves on two processors over what it does on one."""
    one, two = (
        series(chosen(rows, model="prefork", workers=workers, cpus=cpus), "throughput_rps") for cpus in (1.0, 2.0)
    )
    return ratio(two, one)


CLAIM = Claim(
    name="pool-bound",
    statement="A pool of processes cannot use more CPUs than it was started with processes.",
    source="Gunicorn documentation: how many workers",
    link="https://docs.gunicorn.org/en/stable/design.html#how-many-workers",
    question="what more CPU is worth",
    sweep=SWEEP,
    predicate="Holds where prefork with one worker gains at most 1.1 times by a second processor; does not hold where "
    "the interval of the ratio is wholly above. Inconclusive where two workers do not gain 1.5 times by it.",
    decide=_decide,
    processors=3,
    quick=quick(SWEEP),
)
