"""What all trials of a sweep share, and what is called and labelled after it: images, networks, containers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.names import image_name
from testbed.plan.cell import Cell
from testbed.plan.trials import Trial
from testbed.stack.cpus import UNPINNED, CpuSets
from testbed.stack.services import DEFAULT_NETWORK, RUN_LABEL, TRIAL_LABEL, Network

# The network that servers of each kind are in.
_NETWORKS = {"bridge": DEFAULT_NETWORK, "overlay": "overlay"}


@dataclass(frozen=True)
class Run:
    """What all trials of a sweep share. `user` is `uid:gid` of every container: load and probe write the results, and
    the probe may only look at processes of its own user. `cpu_sets` without sets pins nothing; `worker_cpus` limits
    each load worker; `images` stand in for ours, by name. `shared`: some trial's server is to share the load's network
    namespace, so a container that does nothing else holds it across all trials."""

    run_id: str
    project: str
    user: str
    workers: int
    cpu_sets: CpuSets = UNPINNED
    worker_cpus: float | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    networks: tuple[str, ...] = ("bridge",)
    """The kinds that servers are in which are not in the load's: `bridge`, `overlay`."""

    def image(self, name: str) -> str:
        """The image of a model, of `locust` or of `probe` in this run."""
        return self.images.get(name) or image_name(name)

    def server_image(self, cell: Cell) -> str:
        """The image of a cell's servers: what stands in for the model's does so whatever they speak."""
        return self.images.get(cell.image) or self.images.get(cell.model) or image_name(cell.image)


def load_networks(run: Run) -> dict[str, Any]:
    """Of what the load runs in: every network in which a server can be."""
    first, *further = (_NETWORKS[kind] for kind in run.networks)
    return {"network": first, "further_networks": tuple(further)}


def first_network(run: Run) -> str:
    """The one that the load's network namespace is in, too."""
    return _NETWORKS[run.networks[0]]


def network_of(cell: Cell) -> str | None:
    """The network that the cell's servers are in; None where they are in the load's namespace."""
    return None if cell.network == "shared" else _NETWORKS[cell.network]


def all_networks(run: Run) -> tuple[Network, ...]:
    """Those of the run's stack."""
    labels = {RUN_LABEL: run.run_id}
    return tuple(Network(_NETWORKS[kind], labels, kind == "overlay") for kind in run.networks)


def trial_labels(run: Run, trial: Trial) -> dict[str, str]:
    """Of what is made for one trial and goes with it."""
    return {RUN_LABEL: run.run_id, TRIAL_LABEL: trial.trial_id}
