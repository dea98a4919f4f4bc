"""From a sweep to its trials: the crossed axes, in complete blocks, in a seeded order. Pure."""

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from servers.models import find
from servers.models.traits import THREADS, WORKERS, Size
from testbed.errors import UserError
from testbed.names import behind_name, front_image, http_name
from testbed.plan import fault_values, scaling_fit, services
from testbed.plan.axes import AXES, BY_FIELD, FIELDS
from testbed.plan.behind import Behind
from testbed.plan.behind_values import of_text
from testbed.plan.fault import Fault
from testbed.plan.fields import CACHES, GATEWAYS, OF_HTTP, PROXIES, QUEUEING, RESILIENT
from testbed.plan.profile import STEADY, mean_rps
from testbed.plan.schema import Exclude, Sweep

# What a trial costs beyond warm-up and window: start, readiness, stop, collection. Only for the time a plan announces.
OVERHEAD_S, OVERHEAD_SEVERAL_S, OVERHEAD_BEHIND_S = 1.4, 3.5, 5.0
# Trials of a search for a capacity between 10 and 10,000 requests/s, confirmations included.
EXPECTED_SEARCH_STEPS = 12

SEARCHES = ("capacity", "relative")
NO_SIDECAR = "none"
# What `users` is by default in a closed loop; in a search it bounds the requests in flight and is far more.
CANARY_USERS = 8

# As the servers' own default: with one worker a pool of processes would be another model.
LEAST_WORKERS = 2
# Of a service whose model has a pool of threads, where the cell's own has none: as the axis has it.
LEAST_THREADS = 16


@dataclass(frozen=True)
class Cell:
    """One combination of the axes. Its fields are the columns by which trials are compared; each stands in the table of
    axes, and here for its type."""

    model: str
    cpus: float
    memory_bytes: int
    limit: str
    workers: int
    threads: int
    switch_interval_us: int
    counter: str
    sleep_us: int
    spin_us: int
    hash_us: int
    payload_bytes: int
    connection: str
    protocol: str
    method: str
    cache_control: str
    think_us: int
    keys: int
    zipf: float
    reads: float
    scans: float
    value_bytes: int
    users: int
    spinners: int
    idle_holders: int
    mode: str
    rate_rps: float | None
    profile: str
    arrivals: str
    engine: str
    precise: bool
    network: str
    replicas: int
    replica_cpus: str
    front: str
    fronts: int
    front_cpus: float
    balance: str
    queue: str
    front_timeout_us: int
    retries: int
    breaker: int
    eject: int
    eject_for_us: int
    sidecar: str
    sidecar_cpus: float
    rate_limit_rps: float
    auth: str
    dns: str
    scaling: str
    behind: str
    fault: str
    services: str
    share: float | None = None
    """Of a search: the part of the rate it found that this trial is at. Repeats have the share in common, not the rate.
    """

    @property
    def cpus_of_each(self) -> float:
        """The CPU limit of one replica."""
        return self.cpus / self.replicas if self.replica_cpus == "split" else self.cpus

    @property
    def most_replicas(self) -> int:
        """How many there are at any time at most."""
        return int(scaling_fit.most(self.scaling, "replicas", self.replicas))

    @property
    def most_cpus_of_each(self) -> float:
        """The CPU limit of one replica, the greatest it has at any time."""
        return scaling_fit.most(self.scaling, "cpus", self.cpus_of_each)

    @property
    def most_memory_of_each(self) -> int:
        """Likewise its memory limit in bytes."""
        return int(scaling_fit.most(self.scaling, "memory", self.memory_bytes))

    @property
    def cpus_of_all(self) -> float:
        """The CPU limits of the replicas, of what stands before them and behind, together, at any time at most."""
        stands = self.what_is_behind
        beyond = stands.part.cpus_of_all if stands else 0.0
        of_each = self.most_cpus_of_each + self.sidecar_cpus
        servers = sum(one.cpus for one in service_cells(self).values()) or of_each * self.most_replicas
        return servers + self.front_cpus * self.fronts + beyond

    @property
    def what_is_behind(self) -> Behind | None:
        """What the servers talk to; None where there is nothing."""
        return of_text(self.behind)

    @property
    def what_fails(self) -> Fault | None:
        """What goes wrong on purpose; None for nothing."""
        return fault_values.of_text(self.fault)

    @property
    def image(self) -> str:
        """The name of its servers' image: those that speak HTTP, or can talk to what is behind them, have others."""
        if self.protocol == "http":
            return http_name(self.model)
        return behind_name(self.model) if self.what_is_behind else self.model

    @property
    def is_proxied(self) -> bool:
        """Whether a container of its own stands before the replicas."""
        return self.front in PROXIES

    @property
    def by_request(self) -> bool:
        """Whether that container speaks HTTP: it hands on requests, over connections of its own."""
        return self.front in OF_HTTP

    @property
    def is_direct(self) -> bool:
        """Whether servers take the connections that clients make, or as many: nothing between them speaks HTTP."""
        return not self.by_request and self.sidecar == NO_SIDECAR

    @property
    def is_gateway(self) -> bool:
        """Whether that container looks at what a request is, and no cache."""
        return self.front in GATEWAYS

    @property
    def has_services(self) -> bool:
        """Whether there are several, each with a server and a path of its own."""
        return self.services != services.NONE

    @property
    def is_single(self) -> bool:
        """Whether the load goes straight to one server, by its own name."""
        return self.replicas == 1 and self.front == "none"


def _held_against_the_table() -> None:
    names = {field.name for field in fields(Cell)}
    if names != BY_FIELD.keys():
        raise TypeError(f"Cell and the table of axes differ in: {', '.join(sorted(names ^ BY_FIELD.keys()))}")


_held_against_the_table()


@dataclass(frozen=True)
class Trial:
    """One cell measured once, in a fresh server container."""

    trial_id: str
    block: int
    cell: Cell
    canary: bool = False
    search_id: str | None = None
    """The entry of the plan whose search asked for it."""
    step: int | None = None
    """Its place among the search's trials, from 1; None for one at a share of what was found."""
    seed: int = 1
    """Of its random arrivals."""
    redo_of: str | None = None
    """The disturbed trial that this one measures again."""


# The fields of a cell by what a rule of `exclude` calls them.
_EXCLUDED = {axis.in_exclude: axis.field for axis in AXES if axis.in_exclude}


def _excluded(cell: Cell, rule: Exclude) -> bool:
    given = [(_EXCLUDED[name], wanted) for name, wanted in rule if wanted is not None]
    return bool(given) and all(getattr(cell, field) in wanted for field, wanted in given)


def cells(sweep: Sweep) -> list[Cell]:
    """Every combination that is not excluded, in the order in which the file lists the values."""
    asked = {axis.field: axis.asked(sweep) for axis in AXES if axis.crossed}
    crossed = (dict(zip(asked, values, strict=True)) for values in itertools.product(*asked.values()))
    every = dict.fromkeys(_settled(Cell(**values), sweep.duration / 1e6) for values in crossed)
    return [cell for cell in every if not any(_excluded(cell, rule) for rule in sweep.exclude)]


def proxies(sweep: Sweep) -> list[str]:
    """The fronts of the sweep that are containers of their own, and its sidecars, by the names of their images."""
    every = cells(sweep)
    fronts = {front_image(cell.front) for cell in every if cell.is_proxied}
    return sorted(fronts | {cell.sidecar for cell in every if cell.sidecar != NO_SIDECAR})


def server_images(sweep: Sweep) -> list[str]:
    """The servers of the sweep by the names of their images; by the model's where another stands in for that."""
    every = [one for cell in cells(sweep) for one in service_cells(cell).values() or (cell,)]
    return list(dict.fromkeys(_image(one, sweep) for one in every))


def _image(cell: Cell, sweep: Sweep) -> str:
    stands_in = cell.model in sweep.images and cell.image not in sweep.images
    return cell.model if stands_in else cell.image


def parts_behind(sweep: Sweep) -> list[str]:
    """What stands behind servers in the sweep is made of, by the names of images."""
    stands = [cell.what_is_behind for cell in cells(sweep)]
    return sorted({name for one in stands if one for name in one.images})


def has_workers(model: str) -> bool:
    """Whether the model, or what a variant is of, has a pool of processes."""
    return _pool(model) == WORKERS


def has_threads(model: str) -> bool:
    """Whether the model, or what a variant is of, has a pool of threads."""
    return _pool(model) == THREADS


@cache
def _pool(model: str) -> str:
    """Of what the model's pool is; empty for one without, and for one that is not known here."""
    traits = find(model)
    return traits.pool if traits else ""


def _settled(cell: Cell, window_s: float) -> Cell:
    """The cell without the values that mean nothing in it, so that they do not make two cells of one."""
    if cell.profile != STEADY:
        cell = replace(cell, rate_rps=mean_rps(cell.profile, window_s))
    if cell.protocol != "http":
        cell = replace(cell, cache_control="none", method="post")
    if not _asks_for_work(cell):
        cell = replace(cell, spinners=0)
    return _with_pools(with_front(_with_store(cell)))


def _asks_for_work(cell: Cell) -> bool:
    """Whether requests with their work and bare echoes are two kinds, and the only ones."""
    plain = cell.what_is_behind is None and not cell.has_services and cell.method == "post"
    return plain and bool(cell.sleep_us or cell.spin_us or cell.hash_us)


def _with_store(cell: Cell) -> Cell:
    """Without what only a store has, where there is none; a broker is sent keys, and stores no values."""
    stands = cell.what_is_behind
    if stands is None or stands.kind != "store":
        drawn = stands is not None or cell.method == "get"
        keys, zipf = (cell.keys, cell.zipf) if drawn else (0, 0.0)
        return replace(cell, keys=keys, zipf=zipf, reads=1.0, scans=0.0, value_bytes=0)
    return cell if stands.needs_all else replace(cell, scans=0.0)


def _with_pools(cell: Cell) -> Cell:
    """With the pool sizes its model has; 0 where it has none."""
    workers = (cell.workers or max(LEAST_WORKERS, math.ceil(cell.cpus_of_each))) if has_workers(cell.model) else 0
    cell = replace(cell, workers=workers, threads=cell.threads if has_threads(cell.model) else 0)
    if cell.is_gateway:
        # It keeps connections, and a request must not wait behind one that another server could have: as many as the
        # server serves at once, and no more.
        return replace(cell, queue="server" if cell.has_services or serving_slots(cell) is None else "front")
    if cell.queue == "front" and (cell.front not in QUEUEING or serving_slots(cell) is None):
        return replace(cell, queue="server")
    return cell


@cache
def service_cells(cell: Cell) -> dict[str, Cell]:
    """By the name of each service, what its server is and is asked; empty where there is one for all paths."""
    parts = services.of_text(cell.services)
    return {
        part.name: _with_pools(
            replace(
                cell,
                services=services.NONE,
                model=part.model or cell.model,
                # Those of the cell belong to its own model.
                workers=cell.workers if part.model in ("", cell.model) else 0,
                threads=cell.threads or LEAST_THREADS,
                cpus=cell.cpus / len(parts) if part.cpus is None else part.cpus,
                sleep_us=cell.sleep_us if part.sleep_us is None else part.sleep_us,
                spin_us=cell.spin_us if part.spin_us is None else part.spin_us,
                hash_us=cell.hash_us if part.hash_us is None else part.hash_us,
            )
        )
        for part in parts
    }


def with_front(cell: Cell) -> Cell:
    """With what its front has, and without what only others have."""
    fronts = cell.fronts if cell.front in CACHES else 1
    cell = replace(
        cell,
        replica_cpus=cell.replica_cpus if cell.replicas > 1 else "split",
        fronts=fronts,
        # The one name of several fronts has the addresses of all.
        dns=(cell.dns or "each") if cell.front == "dns" else "all" if fronts > 1 else "once",
    )
    if cell.front not in RESILIENT:
        cell = replace(cell, front_timeout_us=0, retries=0, breaker=0, eject=0)
    cell = replace(
        cell,
        eject_for_us=cell.eject_for_us if cell.eject else 0,
        sidecar_cpus=cell.sidecar_cpus if cell.sidecar != NO_SIDECAR else 0.0,
    )
    if not cell.is_gateway:
        cell = replace(cell, rate_limit_rps=0.0, auth="none")
    return cell if cell.is_proxied else replace(cell, front_cpus=0.0, balance="none", queue="none")


def serving_slots(cell: Cell) -> int | None:
    """How many connections one replica serves at once; None where its model has no bound."""
    traits = find(cell.model)
    return traits.slots_of(Size(cell.workers, cell.threads)) if traits else None


def trials(sweep: Sweep) -> list[Trial]:
    """The trials in the order in which they run: `repeat` blocks of every cell once, shuffled by the sweep's seed.

    Comparing within a block cancels what drifts slowly on a machine; the shuffle keeps order from favouring a model.
    UserError when nothing is left to run.
    """
    every = cells(sweep)
    if not every:
        raise UserError("exclude: leaves no trial to run")
    generator = random.Random(sweep.order.seed)
    return list(_numbered(sweep, every, generator))


def _numbered(sweep: Sweep, every: list[Cell], generator: random.Random) -> Iterator[Trial]:
    number = 0
    for block in range(1, sweep.repeat + 1):
        order, seed = [*every], arrivals_seed(sweep.order.seed, block)
        if sweep.order.shuffle:
            generator.shuffle(order)
        if sweep.order.canary:
            yield Trial(f"{number:03d}-b{block}-canary", block, _canary(every[0]), canary=True, seed=seed)
        for cell in order:
            number += 1
            yield Trial(f"{number:03d}-b{block}-{cell.model}-{cell.cpus:g}cpu", block, cell, seed=seed)


def arrivals_seed(sweep_seed: int, block: int) -> int:
    """The seed of random arrivals, of 2**53 at most: the same for all cells of a block, which so are compared under the
    same arrivals, and another in each block, so that repeats are no copies of each other."""
    return sweep_seed * 2**20 + block


def _canary(cell: Cell) -> Cell:
    """What opens a block. Of a search a closed loop: no rate is known yet, and a given one would hide the drift."""
    if cell.mode not in SEARCHES:
        return cell
    users = min(cell.users, CANARY_USERS)
    return replace(cell, mode="closed", users=users, arrivals="constant", precise=False)


def searches(sweep: Sweep) -> list[Trial]:
    """The entries of the plan that are a search."""
    return [trial for trial in trials(sweep) if sweep.load.slo and not trial.canary]


def measured_cells(sweep: Sweep, rows: list[dict[str, Any]]) -> list[Cell]:
    """The cells of a table: the sweep's own, or, after a search, those at shares of what it found in each block."""
    every = cells(sweep)
    if not sweep.load.slo:
        return every
    shares = [row for row in rows if row["share"] is not None]
    found = {Cell(**{name: row[name] for name in FIELDS} | {"rate_rps": None}) for row in shares}
    place = {cell: index for index, cell in enumerate(every)}
    return sorted(found, key=lambda cell: (place.get(replace(cell, share=None), len(place)), cell.share or 0.0))


def expected_of(entry: Trial, sweep: Sweep) -> int:
    """About how many trials an entry of the plan takes; exact without a search."""
    return EXPECTED_SEARCH_STEPS + len(sweep.load.at or ()) if sweep.load.slo and not entry.canary else 1


def expected_trials(sweep: Sweep) -> int:
    """The same of the whole sweep."""
    return sum(expected_of(entry, sweep) for entry in trials(sweep))


def expected_s(sweep: Sweep) -> float:
    """About how many seconds the sweep takes."""
    measured_s = (sweep.warmup + sweep.duration) / 1e6
    return sum(expected_of(entry, sweep) * (measured_s + _overhead_s(entry.cell)) for entry in trials(sweep))


def _overhead_s(cell: Cell) -> float:
    """What a trial takes beside its warm-up and window, by what has to start."""
    if cell.what_is_behind is not None:
        return OVERHEAD_BEHIND_S
    return OVERHEAD_S if cell.is_single and cell.sidecar == NO_SIDECAR else OVERHEAD_SEVERAL_S


def varying_fields(these: list[Cell]) -> list[str]:
    """The names of the cell fields that differ between these cells; model and cpus always, pool sizes only where they
    do not follow from these two."""

    def varies(name: str) -> bool:
        if name in ("workers", "threads"):
            sizes = {(_pool_key(cell), getattr(cell, name)) for cell in these}
            return len(sizes) > len({_pool_key(cell) for cell in these})
        return name in ("model", "cpus") or len({getattr(cell, name) for cell in these}) > 1

    return [name for name in FIELDS if varies(name)]


def _pool_key(cell: Cell) -> tuple[Any, Any]:
    return cell.model, cell.cpus
