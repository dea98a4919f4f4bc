"""About how many trials a sweep takes, and how long. Pure."""

from testbed.plan.cell import NO_SIDECAR, Cell
from testbed.plan.schema import Sweep
from testbed.plan.trials import Trial, trials

# What a trial costs beyond warm-up and window: start, readiness, stop, collection. Only for the time a plan announces.
OVERHEAD_S, OVERHEAD_SEVERAL_S, OVERHEAD_BEHIND_S = 1.4, 3.5, 5.0
# Trials of a search for a capacity between 10 and 10,000 requests/s, confirmations included.
EXPECTED_SEARCH_STEPS = 12


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
