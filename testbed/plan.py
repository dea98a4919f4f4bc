"""From a sweep to its trials: the crossed axes, in complete blocks, in a seeded order. Pure."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from testbed.errors import UserError
from testbed.sweepfile import Exclude, Sweep

# What a trial costs beyond warm-up and window: start, readiness, stop, collection. Only for the time a plan announces.
EXPECTED_OVERHEAD_S = 2.5


@dataclass(frozen=True)
class Cell:
    """One combination of the axes. Its fields are the columns by which trials are compared."""

    model: str
    cpus: float
    memory_bytes: int
    sleep_us: int
    spin_us: int
    payload_bytes: int
    connection: str
    think_us: int
    users: int


@dataclass(frozen=True)
class Trial:
    """One cell measured once, in a fresh server container."""

    trial_id: str
    block: int
    cell: Cell


def _excluded(cell: Cell, rule: Exclude) -> bool:
    values = {
        "model": cell.model,
        "cpus": cell.cpus,
        "memory": cell.memory_bytes,
        "sleep": cell.sleep_us,
        "spin": cell.spin_us,
        "payload": cell.payload_bytes,
        "connection": cell.connection,
        "think": cell.think_us,
        "users": cell.users,
    }
    given = {name: axis for name, axis in rule if axis is not None}
    return bool(given) and all(values[name] in axis for name, axis in given.items())


def cells(sweep: Sweep) -> list[Cell]:
    """Every combination that is not excluded, in the order in which the file lists the values."""
    work = sweep.workload
    crossed = itertools.product(
        sweep.models,
        sweep.limits.cpus,
        sweep.limits.memory,
        work.sleep,
        work.spin,
        work.payload,
        work.connection,
        work.think,
        sweep.load.users,
    )
    every = (Cell(*values) for values in crossed)
    return [cell for cell in every if not any(_excluded(cell, rule) for rule in sweep.exclude)]


def trials(sweep: Sweep) -> list[Trial]:
    """The trials in the order in which they run: `repeat` blocks of every cell once, shuffled by the sweep's seed.

    Comparing within a block cancels what drifts slowly on a machine; the shuffle keeps order from favouring a model.
    UserError when nothing is left to run.
    """
    if not cells(sweep):
        raise UserError("exclude: leaves no trial to run")
    generator = random.Random(sweep.order.seed)
    return list(_numbered(sweep, generator))


def _numbered(sweep: Sweep, generator: random.Random) -> Iterator[Trial]:
    number = 0
    for block in range(1, sweep.repeat + 1):
        order = cells(sweep)
        if sweep.order.shuffle:
            generator.shuffle(order)
        for cell in order:
            number += 1
            yield Trial(f"{number:03d}-b{block}-{cell.model}-{cell.cpus:g}cpu", block, cell)


def expected_s(sweep: Sweep, count: int) -> float:
    """About how many seconds `count` trials of this sweep take."""
    return count * (sweep.warmup / 1e6 + sweep.duration / 1e6 + EXPECTED_OVERHEAD_S)


def varying_fields(these: list[Cell]) -> list[str]:
    """The names of the cell fields that differ between these cells, model and cpus always among them."""
    rows = [asdict(cell) for cell in these]
    return [name for name in Cell.__annotations__ if name in ("model", "cpus") or len({row[name] for row in rows}) > 1]
