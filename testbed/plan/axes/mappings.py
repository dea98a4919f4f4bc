"""The axes of which one value is a mapping in the sweep file, and its canonical text in a cell."""

from collections.abc import Callable
from typing import Any

from testbed.plan import behind, behind_values, fault, fault_values, scaling, scaling_values, services
from testbed.plan.axis import Axis, Form, Text


def _mapping(
    name: str,
    kind: Any,
    meaning: str,
    *,
    asks: str,
    written: Callable[[Any], Any],
    label: Text,
    title: str = "",
    form: Form | None = None,
) -> Axis:
    """A section by itself, whose one value is a mapping, or `none` for nothing. Tables and report have its `label`."""
    return Axis(
        name,
        name,
        kind,
        ("none",),
        meaning,
        asks=asks,
        written=written,
        text=label,
        earlier="none",
        left=True,
        title=title,
        words=label,
        form=form,
    )


AXES: tuple[Axis, ...] = (
    _mapping(
        "scaling",
        scaling_values.Scales,
        "what changes while the load is on, as JSON: limits or replicas, by set steps or by a law; none for nothing",
        asks="what changes while the load is on, in an open loop: limits or replicas, by steps at set times of the "
        "window or by the law of Kubernetes' autoscaler; [scaling.md](scaling.md) has every key",
        written=scaling.written,
        label=scaling_values.label,
    ),
    _mapping(
        "behind",
        behind_values.Stands,
        "what stands behind the servers, as JSON: a store that requests read and write, or a broker that they send to; "
        "none for nothing",
        asks="what stands behind the servers: a store that requests read and write, a cache before one, or a broker "
        "that they send to; lists inside it cross; [behind.md](behind.md) has every key",
        written=behind.written,
        label=behind_values.label,
        title="behind the servers",
        form=Form("behind", lambda text: behind_values.kind(text) or "none", None),
    ),
    _mapping(
        "fault",
        fault_values.Faults,
        "what goes wrong with a replica on purpose while the load is on, as JSON; none for nothing",
        asks="what goes wrong with a replica on purpose while an open loop is on: it stands still, fails, is slow, or "
        "crashes; lists inside it cross; [patterns/mesh.md](patterns/mesh.md) has every key",
        written=fault.written,
        label=fault_values.label,
    ),
    _mapping(
        "services",
        services.Serves,
        "the services that a gateway hands requests on to by their path, as JSON; none for one",
        asks="with `haproxy-http` and `envoy`, several services in place of replicas, each on a path of its own with "
        "its own model, share of the requests and work; [fronts.md](fronts.md#gateways) has every key",
        written=services.written,
        label=services.label,
    ),
)
