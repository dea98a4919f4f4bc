"""The sections `replicas` and `sidecar` of a sweep file: how many servers there are, and what stands beside each."""

from pydantic import model_validator

from testbed.plan.fields import Cpus, ReplicaCount, ReplicaCpus, Values
from testbed.plan.fields import Sidecar as SidecarKind
from testbed.plan.sections import Strict, by_kind, section


@section("replicas")
class Replicas(Strict):
    """Several containers of one server, and whether `limits.cpus` is for all of them together or for each."""

    count: Values[ReplicaCount]
    cpus: Values[ReplicaCpus]


@section("sidecar")
class Sidecar(Strict):
    """What stands beside each server and takes its requests. One name, or a list of them, stands for `kind` alone."""

    kind: Values[SidecarKind]
    cpus: Values[Cpus]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        return by_kind(given)
