"""What one trial consists of: its servers, and what stands in front of them, beside them and behind. Pure."""

from collections.abc import Sequence

from testbed.parts import behind, front, sidecar
from testbed.plan.trials import Trial
from testbed.stack import server_services, system
from testbed.stack.run import Run
from testbed.stack.services import Service, Stack


def boxes(run: Run, trial: Trial) -> tuple[Service, ...]:
    """Every container of the trial that is measured, in the order in which they start."""
    stands = behind.services(run, trial)
    alone = tuple(behind.with_behind(server, trial) for server in server_services.servers(run, trial))
    servers = tuple(sidecar.with_sidecar(server, trial.cell) for server in alone)
    before = front.services(run, trial, servers)
    return (*stands, *servers, *sidecar.services(run, trial, servers), *before)


def stack(run: Run, models: Sequence[str], trial: Trial) -> Stack:
    """The load generator, the trial's containers, and a probe beside each of them."""
    return system.stack_of(run, models, trial, boxes(run, trial))
