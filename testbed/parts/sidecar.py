"""What stands beside each server, in its network namespace: takes all that comes for it and hands it on over loopback.

The server listens at another port, on all addresses: checks go there, past the sidecar, as past a front.
"""

from dataclasses import replace

from testbed.names import front_image
from testbed.parts import envoy
from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.plan.fitting import SIDECAR_MEMORY_BYTES
from testbed.plan.pools import serving_slots
from testbed.plan.trials import Trial
from testbed.stack import needs, server_services
from testbed.stack.naming import BEHIND_SIDECAR_PORT, SIDECAR_SUFFIX
from testbed.stack.run import Run, trial_labels
from testbed.stack.services import ROLE_LABEL, Limits, Service

_TASKS = 64


def called(server: str) -> str:
    """The service of a server's sidecar."""
    return f"{server}{SIDECAR_SUFFIX}"


def with_sidecar(server: Service, cell: Cell) -> Service:
    """The server, at the port where its sidecar finds it, and with the page of that: ports are the namespace's, whose
    it is. As it is where it has none."""
    if cell.sidecar == NO_SIDECAR:
        return server
    told = {**server.environment, "PORT": str(BEHIND_SIDECAR_PORT)}
    return replace(server, environment=told, published=(*server.published, envoy.COUNTERS_PORT))


def services(run: Run, trial: Trial, servers: tuple[Service, ...]) -> tuple[Service, ...]:
    """One beside each of these servers; none where the trial has none."""
    cell = trial.cell
    if cell.sidecar == NO_SIDECAR:
        return ()
    return tuple(
        Service(
            name=called(server.name),
            role="sidecar",
            image=run.image(front_image(cell.sidecar)),
            user=run.user,
            environment={
                "SERVERS": "127.0.0.1",
                "SERVER_PORT": str(BEHIND_SIDECAR_PORT),
                "SIDECAR": "on",
                # A request must not wait behind a connection that stays, where a server serves so many at once.
                "SERVER_MAXCONN": str(serving_slots(cell) or 0),
                "MAXCONN": str(max(needs.LEAST_CONNECTIONS, needs.connections(cell))),
            },
            limits=Limits(
                cell.sidecar_cpus, server_services.beside_servers(run, cell, len(servers)), SIDECAR_MEMORY_BYTES, _TASKS
            ),
            network=None,
            in_network_of=server.name,
            scratch=("/tmp",),
            # The image's own says that it is a front.
            labels={**trial_labels(run, trial), ROLE_LABEL: "sidecar"},
            after=(server.name,),
        )
        for server in servers
    )
