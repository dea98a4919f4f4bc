"""Whether the measurement itself holds: bounds that follow from a trial's columns, whatever its gates have said."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, chosen, in_all
from testbed.claims.sweeps import quick
from testbed.judge.thresholds import Thresholds

SWEEP = "sweeps/claims/waiting.yaml"
OF = Thresholds()


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    every = chosen(rows)
    valid = [row for row in every if row["verdict"] != "invalid"]
    if not valid:
        raise Unanswered("no trial is valid")
    return all_of(
        in_all(valid, _little, "no more requests are served than users can wait for (Little)", client=True),
        in_all(valid, _utilisation, "no more CPU is used than there is", client=True),
        in_all(valid, _generator, "a generator without CPU left is told", client=True),
        in_all([{**row, "verdict": "any"} for row in every], _told, "a trial that is invalid says why"),
    )


def _little(row: Row) -> bool | None:
    """The asymptotic bound of a closed loop: X is at most N over the time that a request takes at least."""
    if row.get("throughput_rps") is None:
        return None
    in_flight = row["throughput_rps"] * (row["sleep_us"] + row["think_us"]) / 1e6
    return bool(in_flight <= row["users"] * (1 + OF.little_relative))


def _utilisation(row: Row) -> bool | None:
    used, window = row.get("cpu_used_s"), row.get("window_s")
    if used is None or window is None:
        return None
    return bool(used <= row["cpus"] * (window * (1 + OF.cpu_time_relative) + 2 * OF.quota_period_s))


def _generator(row: Row) -> bool | None:
    share = row.get("generator_cpu_share")
    return None if share is None else bool(share < OF.generator_cpu_share or row["verdict"] == "client-bound")


def _told(row: Row) -> bool:
    return row.get("status") == "ok" or bool(row.get("reasons"))


CLAIM = Claim(
    name="harness",
    statement="What this testbed prints keeps the laws that any system keeps.",
    source="Lazowska, Zahorjan, Graham, Sevcik: Quantitative System Performance, 1984, chapter 3",
    link="https://homes.cs.washington.edu/~lazowska/qsp/",
    question="whether the measurement holds",
    sweep=SWEEP,
    predicate="Holds where in every valid trial throughput x the time a request takes at least is at most the users, "
    "the CPU used at most the limit, a generator without CPU left is told, and every invalid trial says why; does not "
    "hold where one of these is so in none.",
    decide=_decide,
    quick=quick(SWEEP),
)
