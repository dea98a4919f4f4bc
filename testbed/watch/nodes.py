"""On which node of a Swarm a person's server is, and where the load generator's page is: that may be another node."""

from dataclasses import dataclass

from testbed.errors import UserError
from testbed.stack.naming import MASTER
from testbed.stack.services import ROLE_LABEL, RUN_LABEL
from testbed.stack.swarm.engine import SwarmEngine
from testbed.stack.swarm.stackfile import SERVICE_LABEL
from testbed.watch.beside import page_port


@dataclass(frozen=True)
class Place:
    """`endpoint`: of the server's node. `page`: host and port of Locust's page; None where there is none."""

    endpoint: str
    page: tuple[str, int] | None


def place_of(swarm: SwarmEngine, model: str | None) -> Place:
    """Of the first server on the nodes, or of the one that is named. UserError where none runs."""
    for node in swarm.nodes:
        for container in node.client.containers.list(filters={"label": [SERVICE_LABEL, f"{ROLE_LABEL}=server"]}):
            if model in (None, container.labels[SERVICE_LABEL], container.name):
                return Place(node.endpoint, _page(swarm, container.labels.get(RUN_LABEL, "")))
    wanted = "a server" if model is None else model
    names = ", ".join(node.name for node in swarm.nodes)
    raise UserError(
        f"watch: found {wanted} on none of the nodes {names}; allowed: what `up` or a sweep has started there"
    )


def _page(swarm: SwarmEngine, run_id: str) -> tuple[str, int] | None:
    labels = [f"{SERVICE_LABEL}={MASTER}", f"{RUN_LABEL}={run_id}"]
    for node in swarm.nodes:
        for container in node.client.containers.list(filters={"label": labels}, ignore_removed=True):
            if (port := page_port(container.attrs)) is not None:
                return node.listed.address, port
    return None
