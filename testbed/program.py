"""What is measured for one entry of the plan: one trial, or a search whose next trial depends on the last. Pure."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import Any

from testbed.capacity import Capacity, Search
from testbed.evidence import Thresholds
from testbed.plan import Trial
from testbed.schema import Sweep

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a search has found for one cell in one block."""

    trial: Trial
    slo_p99_us: int
    capacity: Capacity
    client_bound: bool
    """Whether the rate that failed was one the generator could not send: the server may be capable of more."""

    def row(self) -> Row:
        """One row of capacity.csv."""
        cell = {name: value for name, value in asdict(self.trial.cell).items() if name not in ("rate_rps", "mode")}
        head = {"trial_id": self.trial.trial_id, "block": self.trial.block, **cell, "slo_p99_us": self.slo_p99_us}
        return {**head, **asdict(self.capacity), "client_bound": self.client_bound}


def holds(row: Row, slo_p99_us: int) -> bool:
    """Whether a trial shows that its rate is sustained: nothing failed, the schedule was kept, and the objective held.

    Where the sample is too small for a 99th percentile every single latency must hold.
    """
    latency = row["latency_p99_us"] if row["latency_p99_us"] is not None else row["latency_max_us"]
    achieved = row["achieved_over_offered"]
    if row["verdict"] == "invalid" or row["failed"] or latency is None or achieved is None:
        return False
    return bool(latency <= slo_p99_us and achieved >= Thresholds().achieved_over_offered)


def program(trial: Trial, sweep: Sweep) -> Generator[Trial, Row, Answer | None]:
    """The trials of one entry of the plan, each answered with its row. A search returns its answer."""
    slo = sweep.load.slo
    if slo is None or trial.canary:
        yield trial
        return None
    search, client_bound = Search(), {}
    while (rate := search.next_rate()) is not None:
        row = yield _at(trial, f"s{search.steps + 1:02d}", rate)
        client_bound[rate] = row["verdict"] == "client-bound"
        search.record(rate, holds(row, slo.p99))
    found = search.found()
    for share in sweep.load.at or ():
        if found.rate_rps:
            yield _at(trial, f"at{share * 100:g}", float(f"{found.rate_rps * share:.4g}"))
    return Answer(trial, slo.p99, found, client_bound.get(found.fails_at_rps or 0.0, False))


def _at(trial: Trial, suffix: str, rate_rps: float) -> Trial:
    return replace(trial, trial_id=f"{trial.trial_id}-{suffix}", cell=replace(trial.cell, rate_rps=rate_rps))
