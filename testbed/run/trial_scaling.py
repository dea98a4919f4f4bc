"""What changes a trial while its window is open: its scaler, with all that this reads and brings about."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from testbed.parts.front import Client
from testbed.plan.cell import Cell
from testbed.plan.scaling import Scaling
from testbed.results.directory import ResultsDirectory
from testbed.run.acting import Actor
from testbed.run.boxes import Boxes
from testbed.run.checks import Checks
from testbed.run.fleet import Balancer, Fleet
from testbed.run.scaler import Scaler, Sensors
from testbed.run.sensors import Series
from testbed.stack import server_services
from testbed.stack.engine import Engine, LaidOut
from testbed.stack.locust_api import Load


@dataclass(frozen=True)
class Scaled:
    """The trial that is changed."""

    cell: Cell
    boxes: Boxes
    checks: Checks
    load: Load
    front: Client | None
    """None without a front of its own."""
    engine: Engine
    laid: LaidOut
    directory: ResultsDirectory


def scaler_of(trial: Scaled, scaling: Scaling, clock: Callable[[], float]) -> tuple[Scaler, Actor]:
    """What decides, and what carries that out and keeps the record. `clock`: seconds since the window opened."""
    # What takes servers while it runs is told of them, and has a queue of its own.
    balancer = trial.front if isinstance(trial.front, Balancer) else None
    fleet = Fleet(
        trial.boxes,
        trial.checks,
        trial.engine,
        trial.laid,
        trial.directory,
        server_services.server_names(trial.cell),
        balancer,
    )
    actor = Actor(trial.boxes, fleet, trial.engine.set_limits, clock)
    sensors = Sensors(
        trial.boxes,
        fleet,
        trial.load,
        (lambda: _waiting_in(trial.front)) if balancer is not None else None,
        lambda name: Series(
            trial.boxes.series(trial.directory, name), partial(trial.boxes.bring_series, trial.directory, name)
        ),
    )
    return Scaler(scaling, actor, sensors, clock), actor


def _waiting_in(front: Client | None) -> int | None:
    """None where it does not say."""
    try:
        return None if front is None else front.read().waiting
    except OSError:
        return None
