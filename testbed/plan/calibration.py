"""From the calibration to a trial's work: units, the least time they can take, the machine's drift. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from servers.protocol import MAX_HASH_ROUNDS, MAX_SPIN_UNITS
from testbed.errors import UserError
from testbed.plan.cell import Cell
from testbed.plan.cells import cells
from testbed.plan.schema import Sweep
from testbed.plan.service_cells import service_cells
from testbed.plan.services import NONE
from testbed.units import format_us

Calibration = dict[str, Any]

# Together with the start of a container less than 3 s, once per sweep.
SECONDS = 2.0
# Read again at the start of each further block: long enough for the median to be of many samples.
BLOCK_SECONDS = 0.5

# Further from the sweep's speed than this, a block's is told: readings of half a second on a machine that is left alone
# lie within a few percent of each other.
FAR_OFF = 1.10

_SPIN, _HASH = "spin_units_per_ms", "hash_rounds_per_ms"


@dataclass(frozen=True)
class Work:
    """What each request asks of the server, in calibrated units."""

    spin_units: int
    hash_rounds: int
    services: Mapping[str, "Work"] = field(default_factory=dict)
    """Of each service by its name, where there are several."""


def kinds(sweep: Sweep) -> tuple[str, ...]:
    """The kinds of work that the sweep asks for; empty when there is nothing to calibrate."""
    asked = {"spin": [*sweep.workload.spin], "hash": [*sweep.workload.hash]}
    for one in _of_services(sweep):
        asked["spin"].append(one.spin_us)
        asked["hash"].append(one.hash_us)
    return tuple(kind for kind, values in asked.items() if any(values))


def _of_services(sweep: Sweep) -> list[Cell]:
    if sweep.services == (NONE,):
        return []
    return [one for cell in cells(sweep) for one in service_cells(cell).values()]


def work(cell: Cell, calibration: Calibration | None) -> Work:
    """What each request of the cell asks for. The same all through a sweep: at the speed typical when it began."""
    known = calibration or {}
    return Work(
        spin_units=round(cell.spin_us / 1000 * known.get(_SPIN, 0)),
        hash_rounds=round(cell.hash_us / 1000 * known.get(_HASH, 0)),
        services={name: work(one, calibration) for name, one in service_cells(cell).items()},
    )


def check_work(sweep: Sweep, calibration: Calibration | None) -> None:
    """UserError where a request would have to compute more units than a server takes on. Pure."""
    parts = _of_services(sweep)
    bounds = (
        ("spin", (*sweep.workload.spin, *(one.spin_us for one in parts)), _SPIN, MAX_SPIN_UNITS),
        ("hash", (*sweep.workload.hash, *(one.hash_us for one in parts)), _HASH, MAX_HASH_ROUNDS),
    )
    for name, asked_us, rate, bound in bounds:
        per_ms = (calibration or {}).get(rate, 0)
        units = round(max(asked_us) / 1000 * per_ms)
        if units > bound:
            raise UserError(
                f"workload.{name}: found {format_us(max(asked_us))}, which is {units:,} units of work on this machine, "
                f"allowed: at most {bound:,}, here {format_us(bound / per_ms * 1000)}"
            )


def _fastest(name: str, *readings: Calibration | None) -> float:
    """The fastest speed seen. Calibrations from before it had a field of its own were of the fastest moment."""
    return max((float(one.get(f"fastest_{name}") or one.get(name) or 0.0) for one in readings if one), default=0.0)


def least_cpu_us(asked: Work, *readings: Calibration | None) -> float | None:
    """CPU time below which no request of this work can stay: at the fastest speed that any of the readings tells.

    None where a kind that is asked for was not calibrated, and of several services, whose requests differ.
    """
    if asked.services:
        return None
    least = 0.0
    for amount, name in ((asked.spin_units, _SPIN), (asked.hash_rounds, _HASH)):
        speed = _fastest(name, *readings)
        if amount and not speed:
            return None
        least += 1000 * amount / speed if amount else 0.0
    return least


def drift(calibration: Calibration | None, now: Calibration | None) -> float | None:
    """The typical speed read now, over the sweep's; None where either is not known. Of both kinds the one further off.

    Below 1 the machine has become slower: the same work takes so much longer.
    """
    before, after = calibration or {}, now or {}
    ratios = [after[name] / before[name] for name in (_SPIN, _HASH) if before.get(name) and after.get(name)]
    return max(ratios, key=lambda ratio: max(ratio, 1 / ratio)) if ratios else None


def alike(*calibrations: Calibration | None) -> list[Calibration | None]:
    """The same calibrations with speeds of one kind: those made before there was a typical one had the fastest only."""
    if all(_tells_fastest(one) for one in calibrations):
        return list(calibrations)
    return [one and {name: _fastest(name, one) for name in (_SPIN, _HASH)} for one in calibrations]


def _tells_fastest(calibration: Calibration | None) -> bool:
    return any(name.startswith("fastest_") for name in calibration or {})
