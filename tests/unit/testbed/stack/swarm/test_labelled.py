"""What carries labels on a Swarm is counted by its run, whoever holds it: manager or node."""

from types import SimpleNamespace
from typing import Any

from testbed.stack.services import RUN_LABEL
from testbed.stack.swarm.labelled import BY_HAND, Labelled
from testbed.stack.swarm.stackfile import SERVICE_LABEL


def listing(*things: Any) -> Any:
    return SimpleNamespace(list=lambda **_: list(things))


def service(run: str) -> Any:
    return SimpleNamespace(attrs={"Spec": {"Labels": {RUN_LABEL: run}}})


def network(labels: dict[str, str] | None) -> Any:
    return SimpleNamespace(attrs={"Labels": labels})


def container(run: str, **labels: str) -> Any:
    return SimpleNamespace(labels={RUN_LABEL: run, **labels})


def test_each_thing_counts_for_its_run_and_what_up_has_started_for_none() -> None:
    placed = {SERVICE_LABEL: "spmt"}
    manager = SimpleNamespace(services=listing(service("a"), service(BY_HAND)), networks=listing(network(None)))
    # A container that no Swarm has placed is of a sweep on that engine alone.
    held = listing(container("a", **placed), container("b", **placed), container("elsewhere"))
    client = SimpleNamespace(containers=held, volumes=listing(network({RUN_LABEL: "b"})))
    node: Any = SimpleNamespace(name="n1", client=client)
    assert Labelled(manager, [node]).runs() == {"a": 2, "b": 2}
