"""The axes of the network, of how many servers there are on it, and of what stands beside each."""

from testbed.plan.axes.words import cpus, number
from testbed.plan.axis import Axis
from testbed.plan.fields import Cpus, Network, ReplicaCount, ReplicaCpus, Sidecar

AXES: tuple[Axis, ...] = (
    Axis(
        "network",
        "network",
        Network,
        ("bridge",),
        "bridge: over the engine's bridge; shared: server and load in one network namespace, over loopback; overlay: "
        "over a Swarm's overlay network",
        asks="`bridge`: over Docker's bridge, as between machines. `shared`: server and load in one network namespace, "
        "as in a pod. `overlay`: over an overlay network, on an engine that manages a Swarm; `--on swarm` has "
        "no other",
        earlier="bridge",
    ),
    Axis(
        "replicas.count",
        "replicas",
        ReplicaCount,
        (1,),
        "containers of the server that are alike",
        asks="containers of the server that are alike, each with `limits.memory`",
        earlier=1,
        excluded_as="replicas",
        # Of two lines: a table in a terminal has little room.
        heading="rep-\nlicas",
    ),
    Axis(
        "replicas.cpus",
        "replica_cpus",
        ReplicaCpus,
        ("split",),
        "split: the CPU limit is that of all replicas together; each: of each of them",
        asks="`split`: `limits.cpus` is for all replicas together, in equal parts. `each`: every one gets as much",
        earlier="split",
        excluded_as="replica_cpus",
        left=True,
        heading="limit\nof",
        title="CPU limit of replicas",
        words=lambda value: "for all together" if value == "split" else "for each",
    ),
)

SIDECAR: tuple[Axis, ...] = (
    Axis(
        "sidecar.kind",
        "sidecar",
        Sidecar,
        ("none",),
        "what stands beside each server and takes its requests: none, envoy",
        asks="what stands beside each server, in its network namespace, and takes all that comes for it. `envoy`: "
        "hands on requests of HTTP. `sidecar: envoy` is short for it",
        earlier="none",
        excluded_as="sidecar",
        left=True,
    ),
    Axis(
        "sidecar.cpus",
        "sidecar_cpus",
        Cpus,
        (0.1,),
        "CPU limit of each sidecar; 0 without one",
        asks="CPU limit of each sidecar",
        earlier=0.0,
        excluded_as="sidecar_cpus",
        text=number,
        heading="sidecar\ncpus",
        title="CPU limit of each sidecar",
        words=cpus,
    ),
)
