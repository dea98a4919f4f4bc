"""The sections `replicas` and `sidecar` of a sweep file: how many servers there are, and what stands beside each."""

from testbed.plan.fields import Cpus, ReplicaCount, ReplicaCpus, Values
from testbed.plan.fields import Sidecar as SidecarKind
from testbed.plan.sections import OfKinds, Strict, section


@section("replicas")
class Replicas(Strict):
    """Several containers of one server, and whether `limits.cpus` is for all of them together or for each."""

    count: Values[ReplicaCount]
    cpus: Values[ReplicaCpus]


@section("sidecar")
class Sidecar(OfKinds):
    """What stands beside each server and takes its requests."""

    kind: Values[SidecarKind]
    cpus: Values[Cpus]
