"""The axes of which one value is a mapping in the sweep file, and its canonical text in a cell."""

from testbed.plan import behind, behind_values, fault, fault_values, scaling, scaling_values, services
from testbed.plan.axis import Axis, Form

AXES: tuple[Axis, ...] = (
    Axis(
        "scaling",
        "scaling",
        scaling_values.Scales,
        (scaling.NONE,),
        "what changes while the load is on, as JSON: limits or replicas, by set steps or by a law; none for nothing",
        asks="what changes while the load is on, in an open loop: limits or replicas, by steps at set times of the "
        "window or by the law of Kubernetes' autoscaler; [scaling.md](scaling.md) has every key",
        written=scaling.written,
        text=scaling_values.label,
        earlier=scaling.NONE,
        left=True,
        title="scaling",
        words=scaling_values.label,
    ),
    Axis(
        "behind",
        "behind",
        behind_values.Stands,
        (behind.NONE,),
        "what stands behind the servers, as JSON: a store that requests read and write, or a broker that they send to; "
        "none for nothing",
        asks="what stands behind the servers: a store that requests read and write, a cache before one, or a broker "
        "that they send to; lists inside it cross; [behind.md](behind.md) has every key",
        written=behind.written,
        text=behind_values.label,
        earlier=behind.NONE,
        left=True,
        title="behind the servers",
        words=behind_values.label,
        form=Form("behind", lambda text: behind_values.kind(text) or "none", None),
    ),
    Axis(
        "fault",
        "fault",
        fault_values.Faults,
        (fault.NONE,),
        "what goes wrong with a replica on purpose while the load is on, as JSON; none for nothing",
        asks="what goes wrong with a replica on purpose while an open loop is on: it stands still, fails, is slow, or "
        "crashes; lists inside it cross; [patterns/mesh.md](patterns/mesh.md) has every key",
        written=fault.written,
        text=fault_values.label,
        earlier=fault.NONE,
        left=True,
        title="fault",
        words=fault_values.label,
    ),
    Axis(
        "services",
        "services",
        services.Serves,
        (services.NONE,),
        "the services that a gateway hands requests on to by their path, as JSON; none for one",
        asks="with `haproxy-http` and `envoy`, several services in place of replicas, each on a path of its own with "
        "its own model, share of the requests and work; [fronts.md](fronts.md#gateways) has every key",
        written=services.written,
        text=services.label,
        earlier=services.NONE,
        left=True,
        title="services",
        words=services.label,
    ),
)
