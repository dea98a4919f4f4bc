"""What carries a run's label: found by it, and removed until it is gone. Touches nothing else."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker.errors
from docker.models.containers import Container

from testbed.errors import Breakdown
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL

REMOVAL_TIMEOUT_S = 60.0


def containers(client: Any, run_id: str, *labels: str, stopped: bool = True) -> list[Container]:
    """The containers of a run that carry these labels too; without `stopped`, those that run."""
    wanted = [f"{RUN_LABEL}={run_id}", *labels]
    found: list[Container] = client.containers.list(all=stopped, filters={"label": wanted}, ignore_removed=True)
    return found


def remove_container(container: Container) -> None:
    """Remove it with its volumes, whether or not it runs; no matter if somebody else is doing it."""
    with contextlib.suppress(docker.errors.APIError):
        container.remove(v=True, force=True)


def remove_run(client: Any, run_id: str, settled_at: float) -> None:
    """Remove every container and network of a run. Breakdown when some are left.

    Until `settled_at` a request that is under way may still create something: look until it cannot any more.
    """
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while time.monotonic() < deadline:
        found = containers(client, run_id)
        networks = client.networks.list(filters={"label": f"{RUN_LABEL}={run_id}"})
        if not found and not networks:
            if time.monotonic() > settled_at:
                return
            time.sleep(0.1)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(remove_container, found))
        for network in networks:
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
    raise Breakdown(
        f"run {run_id}: some containers are left; run: docker rm -f $(docker ps -aq -f label={RUN_LABEL}={run_id})"
    )


def remove_trial(client: Any, run_id: str, trial_id: str) -> None:
    """Remove whatever there is of a trial. Breakdown when some of it is left."""
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while found := containers(client, run_id, f"{TRIAL_LABEL}={trial_id}"):
        if time.monotonic() > deadline:
            raise Breakdown(f"trial {trial_id}: its containers cannot be removed")
        for container in found:
            remove_container(container)


def runs(client: Any) -> dict[str, int]:
    """The runs that have containers or networks here, with how many."""
    found: dict[str, int] = {}
    everything = [
        *client.containers.list(all=True, filters={"label": RUN_LABEL}, ignore_removed=True),
        *client.networks.list(filters={"label": RUN_LABEL}),
    ]
    for item in everything:
        labels = item.labels if isinstance(item, Container) else item.attrs["Labels"]
        found[labels[RUN_LABEL]] = found.get(labels[RUN_LABEL], 0) + 1
    return found
