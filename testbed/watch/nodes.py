"""On which node of a Swarm a person's server is."""

from testbed.errors import UserError
from testbed.stack.swarm.engine import SwarmEngine
from testbed.stack.swarm.stackfile import SERVICE_LABEL

ROLE_LABEL = "threadmill.role"


def endpoint_with(swarm: SwarmEngine, model: str | None) -> str:
    """The endpoint of the first node that runs a server, or this one where it is named. UserError where none does."""
    for node in swarm.nodes:
        for container in node.client.containers.list(filters={"label": [SERVICE_LABEL, f"{ROLE_LABEL}=server"]}):
            if model in (None, container.labels[SERVICE_LABEL], container.name):
                return node.endpoint
    wanted = "a server" if model is None else model
    names = ", ".join(node.name for node in swarm.nodes)
    raise UserError(
        f"watch: found {wanted} on none of the nodes {names}; allowed: what `up` or a sweep has started there"
    )
