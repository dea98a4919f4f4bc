"""Starting a stack's services on a Swarm, and what a Swarm has no word for on the containers they became."""

from collections.abc import Mapping, Sequence
from typing import Any

import docker.errors

from testbed.errors import UserError
from testbed.interrupt import deferred
from testbed.stack.engine import LaidOut
from testbed.stack.services import RUN_LABEL, Service, Stack
from testbed.stack.speaking import speaking
from testbed.stack.swarm import stackfile
from testbed.stack.swarm.deploying import deploy
from testbed.stack.swarm.nodes import Node, speaking_to
from testbed.stack.swarm.placed import Placed, Task, task_of, wait_until_running
from testbed.stack.swarm.stackfile import SERVICE_LABEL, NodeRole, stack_name, text_of, volume_name

_LOG = {"type": "json-file", "config": {"mode": "non-blocking", "max-buffer-size": "4m", "max-size": "32m"}}


class Starter:
    """Has services deployed by the manager at an endpoint, and knows where each of them is."""

    def __init__(
        self, manager: Any, endpoint: str, nodes: Sequence[Node], roles: Mapping[NodeRole, NodeRole], caller: str
    ) -> None:
        """`roles` and `caller` as of `stackfile.stack_file`."""
        self._manager, self._endpoint = manager, endpoint
        self._by_id = {node.listed.id: node for node in nodes}
        self._roles, self._caller = roles, caller
        self.image_ids: dict[str, str] = {}
        """By name, of the images that were brought to all nodes."""
        self.inherited: tuple[int, ...] = ()
        """Descriptors that every command inherits."""
        self.placed: dict[str, Placed] = {}
        """By service; of one with copies, one of them."""

    def stack_file(self, stack: Stack, services: Sequence[str]) -> dict[str, Any]:
        return stackfile.stack_file(stack, services, self.image_ids, self._roles, self._caller)

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        """Those by the manager, and the probes among them beside theirs. UserError where one does not come to run."""
        wanted = [laid.stack.service(name) for name in services]
        placed = [service for service in wanted if service.role != "probe"]
        # What is looked up by name has to be there before it is.
        self._place(laid, [one for one in placed if not one.after])
        self._place(laid, [one for one in placed if one.after])
        for service in wanted:
            if service.role == "probe":
                self._start_beside(laid.stack, service)

    def _place(self, laid: LaidOut, services: Sequence[Service]) -> None:
        if services:
            text = text_of(self.stack_file(laid.stack, [one.name for one in services]))
            deploy(self._endpoint, self.inherited, stack_name(laid.stack.project), text, laid.file)
            self._find(laid.stack, services)

    def _find(self, stack: Stack, services: Sequence[Service]) -> None:
        """Wait until they run, and pin them."""
        name = stack_name(stack.project)
        full = {f"{name}_{service.name}": service for service in services}

        def ask() -> list[Task]:
            with speaking():
                found = {one.id: full[one.name].name for one in self._manager.services.list() if one.name in full}
                tasks = self._manager.api.tasks(filters={"service": list(found)}) if found else []
            return [task_of(one, found[one["ServiceID"]]) for one in tasks if one["ServiceID"] in found]

        wanted = {service.name: service.copies or 1 for service in services}
        for task in wait_until_running(ask, wanted):
            service = stack.service(task.service)
            node = self._by_id[task.node_id]
            with speaking_to(node):
                try:
                    container = node.client.containers.get(task.container_id)
                    _pin(container, service)
                except docker.errors.APIError as error:
                    raise UserError(f"{service.name} ended right after its start: {error.explanation}") from None
            self.placed[service.name] = Placed(service, node, container, task.ports)

    def _start_beside(self, stack: Stack, probe: Service) -> None:
        """A plain container on the node of what it looks into, by that node's own engine."""
        assert probe.sees_processes_of is not None
        beside = self.placed[probe.sees_processes_of]
        client, name = beside.node.client, stack_name(stack.project)
        volumes = {volume_name(stack.project, one.store): {"bind": one.at, "mode": "rw"} for one in probe.mounts}
        network = {"network": f"{name}_{probe.network}"} if probe.network else {"network_mode": "none"}
        with speaking_to(beside.node), deferred():
            for volume in volumes:
                client.volumes.create(volume, labels={RUN_LABEL: probe.labels[RUN_LABEL]})
            container = client.containers.create(
                self.image_ids[probe.image],
                list(probe.command),
                name=f"{name}_{probe.name}",
                user=probe.user,
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges=true"],
                log_config=_LOG,
                pid_mode=f"container:{beside.container.id}",
                cpuset_cpus=probe.limits.processors,
                volumes=volumes,
                labels={**probe.labels, SERVICE_LABEL: probe.name},
                **network,
            )
            self.placed[probe.name] = Placed(probe, beside.node, container, {})
            container.start()


def _pin(container: Any, service: Service) -> None:
    """What a Swarm has no word for: processors, and that memory is without swap."""
    limits = service.limits
    wanted: dict[str, Any] = {}
    if limits.processors is not None:
        wanted["cpuset_cpus"] = limits.processors
    if limits.memory_bytes is not None:
        wanted |= {"mem_limit": limits.memory_bytes, "memswap_limit": limits.memory_bytes}
    if wanted:
        container.update(**wanted)
