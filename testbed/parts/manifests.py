"""A sweep as manifests for a cluster: one kustomization per cell, and a page that says what there is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from testbed.errors import UserError
from testbed.parts import unattended
from testbed.plan import cells
from testbed.plan.axes import BY_FIELD
from testbed.plan.behind import NONE
from testbed.plan.cell import NO_SIDECAR
from testbed.plan.schema import Sweep
from testbed.plan.trials import Trial
from testbed.stack import kubernetes
from testbed.stack.kubernetes import index
from testbed.stack.kubernetes.index import Entry
from testbed.stack.naming import LOAD_STORE, MASTER
from testbed.stack.run import Run

# Of the volume that the load's results are on.
CLAIM = "results"


@dataclass(frozen=True)
class Manifests:
    """Texts by their path below the directory, and a line for each thing that the sweep says and they do not do."""

    files: Mapping[str, str]
    not_done: list[str]
    cells: int


_ONE_FRONT = "a Service gives a connection to any of its pods, and the load takes several fronts in turn"


def manifests(sweep: Sweep, user: str, registry: str = "") -> Manifests:
    """All of it. `user` is `uid:gid` of every container; `registry` stands in place of `threadmill` in our images.

    UserError where no cell of the sweep can be one of a cluster.
    """
    run = Run(sweep.name, sweep.name, user, sweep.load.workers, worker_cpus=sweep.load.worker_cpus, images=sweep.images)
    every = unattended.trials(sweep)
    if not every:
        raise UserError("exclude: leaves no trial to run")
    possible = [trial for trial in every if trial.cell.network != "shared" and not _own(trial)]
    if not possible and all(map(_is_meshed, every)):
        raise UserError(
            "sidecar, fault: found in every cell, allowed for Kubernetes: none (sidecars are a mesh's own there, and "
            "what goes wrong on purpose is brought about from here)"
        )
    if not possible and all(trial.cell.fronts > 1 for trial in every):
        raise UserError(f"front.count: found several in every cell, allowed for Kubernetes: 1 ({_ONE_FRONT})")
    if not possible and all(trial.cell.behind != NONE for trial in every):
        raise UserError(
            "behind: found in every cell, allowed for Kubernetes: none (stores and brokers have operators of their own "
            "there)"
        )
    if not possible:
        raise UserError(
            "network: found shared in every cell, allowed for Kubernetes: bridge (a server that shares the load's "
            "network would be in its pod, whose Job would never complete)"
        )
    varying = cells.varying_fields([trial.cell for trial in possible])
    files: dict[str, str] = {}
    entries = []
    # By the place among all, as in the directory's name.
    for number, trial in ((n, one) for n, one in enumerate(every, 1) if one in possible):
        place = _place(sweep, number, registry)
        made = kubernetes.render(unattended.stack(run, trial, sweep, kubernetes.domain(place.namespace)), place)
        brought = kubernetes.render(unattended.collector(run, trial), replace(place, is_new=False))
        files |= {f"{trial.trial_id}/{name}": text for name, text in made.files.items()}
        files |= {f"{trial.trial_id}/{unattended.COLLECTOR}/{name}": text for name, text in brought.files.items()}
        values = {BY_FIELD[name].name: BY_FIELD[name].shown(getattr(trial.cell, name)) for name in varying}
        entries.append(Entry(trial.trial_id, place.namespace, values, made.not_done))
    lines = index.not_done(entries, [*unattended.not_done(sweep), *_left_out(every, possible), *_of_images(sweep)])
    by_hand = unattended.waits_for_a_person(possible[0].cell)
    page = index.text(sweep.name, entries, lines, by_hand, MASTER, unattended.COLLECTOR)
    return Manifests({"README.md": page, **files}, lines, len(possible))


def _place(sweep: Sweep, number: int, registry: str) -> kubernetes.Place:
    namespace = kubernetes.namespace("threadmill", sweep.name, f"{number:03d}")
    return kubernetes.Place(namespace, {LOAD_STORE: CLAIM}, f"{registry}/" if registry else "")


def _own(trial: Trial) -> bool:
    """Whether it has what a cluster has of its own kind."""
    return trial.cell.behind != NONE or _is_meshed(trial) or trial.cell.fronts > 1


def _is_meshed(trial: Trial) -> bool:
    return trial.cell.fault != NONE or trial.cell.sidecar != NO_SIDECAR


def _left_out(every: list[Trial], possible: list[Trial]) -> list[str]:
    shared = [trial.trial_id for trial in every if trial.cell.network == "shared"]
    meshed = [one.trial_id for one in every if _is_meshed(one)]
    edges = [one.trial_id for one in every if one.cell.fronts > 1]
    left = [trial.trial_id for trial in every if trial not in possible]
    backed = [trial_id for trial_id in left if trial_id not in (*shared, *meshed, *edges)]
    lines = []
    if shared:
        told = ", ".join(shared)
        lines.append(f"network shared: not written: {told}: server and load would be one pod, which never completes")
    if backed:
        lines.append(f"behind: not written: {', '.join(backed)}: stores and brokers have operators of their own")
    if edges:
        lines.append(f"front.count: not written: {', '.join(edges)}: {_ONE_FRONT}")
    if meshed:
        lines.append(
            f"sidecar, fault: not written: {', '.join(meshed)}: sidecars are a mesh's own there, and what goes wrong "
            "on purpose is brought about from here"
        )
    return lines


def _of_images(sweep: Sweep) -> list[str]:
    """A probe looks for the command of our servers."""
    return [
        f"images: the probe beside {name} looks for a first process with {unattended.SERVER_COMMAND!r} on its command "
        f"line; if {image} has another, change --first-process"
        for name, image in sweep.images.items()
        if name in sweep.models
    ]
