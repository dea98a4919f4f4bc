"""Replicas that are added while users keep their connections."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, answered, at_most, chosen, ratio, series
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/late-replica.yaml"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    still, grown = chosen(rows, scaling="none"), chosen(rows, lambda row: row["scaling"] != "none")
    for row in grown:
        if row["verdict"] != "invalid" and not row.get("joined"):
            raise Unanswered(f"{row['trial_id']}: no replica is known to have been added")
    served = ratio(series(grown, "throughput_rps", client=True), series(still, "throughput_rps", client=True))
    return at_most(served, 1.05, "requests/s with two replicas added over without")


CLAIM = Claim(
    name="late-replica",
    statement="Replicas added behind a balancer of connections serve nothing to clients that keep theirs.",
    source="Kubernetes blog: gRPC load balancing on Kubernetes without tears",
    link="https://kubernetes.io/blog/2018/11/07/grpc-load-balancing-on-kubernetes-without-tears/",
    question="what more replicas are worth",
    sweep=SWEEP,
    predicate="With persistent connections and more load than one replica bears: holds where adding two serves at "
    "most 1.05 times what the one does; does not hold where the interval of the ratio is wholly above.",
    decide=_decide,
    quick=quick(SWEEP),
)
