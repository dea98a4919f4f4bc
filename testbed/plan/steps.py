"""What is measured for one entry of the plan: one trial, or a search whose next trial depends on the last. Pure."""

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from testbed.plan import trials
from testbed.plan.axes import BY_FIELD
from testbed.plan.schema import Sweep
from testbed.plan.search import MOST_INVALID, MOST_STEPS, SUSTAINED, Capacity, Search
from testbed.plan.trials import Trial

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a search has found for one cell in one block."""

    trial: Trial
    slo_p99_us: int
    capacity: Capacity
    client_bound: bool
    """Whether the generator could not send the next rate: the server holds at least what was found."""

    def row(self) -> Row:
        """One row of capacity.csv."""
        cell = {name: value for name, value in asdict(self.trial.cell).items() if not BY_FIELD[name].by_search}
        head = {"trial_id": self.trial.trial_id, "block": self.trial.block, **cell, "slo_p99_us": self.slo_p99_us}
        found, answered = asdict(self.capacity), self.capacity.answered
        flags = {name: value if answered else None for name, value in self._flags().items()}
        return {**head, "answered": answered, **found, **flags}

    def _flags(self) -> Row:
        return {"confirmed": self.capacity.confirmed, "client_bound": self.client_bound}


def holds(row: Row, slo_p99_us: int) -> bool:
    """Whether a trial shows that its rate is sustained: nothing failed, the schedule was kept, and the objective held.

    Where the sample is too small for a 99th percentile every single latency must hold.
    """
    latency = row["latency_p99_us"] if row["latency_p99_us"] is not None else row["latency_max_us"]
    achieved = row["achieved_over_offered"]
    if row["verdict"] == "invalid" or row["failed"] or latency is None or achieved is None:
        return False
    return bool(latency <= slo_p99_us and achieved >= SUSTAINED)


def program(trial: Trial, sweep: Sweep) -> Generator[Trial, Row, Answer | None]:
    """The trials of one entry of the plan, each answered with its row. A search returns its answer."""
    slo = sweep.load.slo
    if slo is None or trial.canary:
        yield trial
        return None
    search, client_bound = Search(), set[float]()
    while (rate := search.next_rate()) is not None:
        row = yield _step(trial, search.steps + search.invalid + 1, rate)
        if row["verdict"] == "invalid":
            search.record_invalid(rate, row["reasons"] or "no reason given")
            continue
        held = holds(row, slo.p99)
        search.record(rate, held)
        if row["verdict"] == "client-bound" and not held:
            client_bound.add(rate)
    found = search.found()
    for share in sweep.load.at or ():
        if found.rate_rps:
            yield _at_share(trial, share, float(f"{found.rate_rps * share:.4g}"))
    return Answer(trial, slo.p99, found, found.fails_at_rps in client_bound)


def every_trial(sweep: Sweep) -> Iterator[Trial]:
    """Every trial that the sweep's searches could come to, with its name and place; its rate is found on the way."""
    for entry in trials.searches(sweep):
        yield from (_step(entry, number, 0.0) for number in range(1, MOST_STEPS + MOST_INVALID + 1))
        yield from (_at_share(entry, share, 0.0) for share in sweep.load.at or ())


def _step(trial: Trial, number: int, rate_rps: float) -> Trial:
    name = f"{trial.trial_id}-s{number:02d}"
    return replace(
        trial, trial_id=name, cell=replace(trial.cell, rate_rps=rate_rps), search_id=trial.trial_id, step=number
    )


def _at_share(trial: Trial, share: float, rate_rps: float) -> Trial:
    cell = replace(trial.cell, rate_rps=rate_rps, share=share)
    return replace(trial, trial_id=f"{trial.trial_id}-at{share * 100:.10g}", cell=cell, search_id=trial.trial_id)
