"""Requests that compute, on one processor and on two."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/cores.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    alone, both = (
        series(chosen(rows, model="prefork", cpus=float(cores), workers=cores), "throughput_rps") for cores in (1, 2)
    )
    one, two = (series(chosen(rows, model="thread-pool", cpus=cpus), "throughput_rps") for cpus in (1.0, 2.0))
    return all_of(
        at_least(ratio(both, alone), 0.8 * 2, "two processes on two processors over one on one"),
        at_most(ratio(two, one), 1.15, "a pool of threads on two processors over the same on one"),
    )


CLAIM = Claim(
    name="processes-compute",
    statement="Processes suit work that computes: they use every processor, where threads under Python's lock use one.",
    source="Python documentation: the global interpreter lock",
    link="https://docs.python.org/3/glossary.html#term-global-interpreter-lock",
    question="what suits work that computes",
    sweep=SWEEP,
    predicate="Holds where prefork with two workers on two processors serves at least 0.8 x 2 of what one serves on "
    "one, and a pool of threads gains at most 1.15 times by the second processor; does not hold where the interval of "
    "one of the ratios is wholly on the other side.",
    decide=_decide,
    processors=3,
    quick=quick(SWEEP),
)
