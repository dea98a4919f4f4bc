"""The sizes of the pools that a cell's model has, and how many connections it serves at once. Pure."""

import math
from dataclasses import replace
from functools import cache

from servers.models import find
from servers.models.traits import THREADS, WORKERS, Size
from testbed.plan.cell import Cell
from testbed.plan.fields import QUEUEING

# As the servers' own default: with one worker a pool of processes would be another model.
LEAST_WORKERS = 2


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


def serving_slots(cell: Cell) -> int | None:
    """How many connections one replica serves at once; None where its model has no bound."""
    traits = find(cell.model)
    return traits.slots_of(Size(cell.workers, cell.threads)) if traits else None


def with_pools(cell: Cell) -> Cell:
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
