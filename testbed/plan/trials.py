"""The trials of a sweep: every cell in complete blocks, in a seeded order. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from testbed.errors import UserError
from testbed.plan.cell import Cell
from testbed.plan.cells import cells
from testbed.plan.schema import Sweep

SEARCHES = ("capacity", "relative")
# What `users` is by default in a closed loop; in a search it bounds the requests in flight and is far more.
CANARY_USERS = 8


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
