"""Claims about replicas, queues, limits and what a scaler reads: each outcome with made rows."""

import json

import pytest

from testbed.claims import (
    central_queue,
    central_queue_in_turn,
    cpu_metric,
    forecast,
    forecast_halves,
    late_replica,
    quota_at_once,
    scale_out,
    trigger_accept_queue,
    trigger_cpu,
    trigger_in_flight,
)
from testbed.claims.claim import Claim, Outcome
from testbed.report.readings import TRIGGERS
from testbed.report.triggers import is_ramp
from tests.unit.testbed.claims.made import Measures, Row, changed, made, noisy, of, times, wildly

FOUR = of(replicas=4)
ONE_QUEUE = of(queue="front")


def ramp(row: Row) -> bool:
    return is_ramp(row["profile"])


def divided(row: Row) -> Row:
    one = row["replicas"] == 1
    return {"throughput_rps": noisy(row, 1000 if one else 960), "latency_p99_us": noisy(row, 35e3 if one else 60e3)}


def waits(row: Row) -> Row:
    p99 = 140e3 if row["front"] == "dns" else 60e3 if row["queue"] == "front" else 75e3
    return {"latency_p99_us": noisy(row, p99)}


def added(row: Row) -> Row:
    return {"throughput_rps": noisy(row, 120), "joined": 0 if row["scaling"] == "none" else 2}


def grown(row: Row) -> bool:
    return bool(row["scaling"] != "none")


def at_once(row: Row) -> Row:
    return {"quota_followed_s": 0.9, "verdict": "transient"}


def law(row: Row) -> Row:
    return dict(json.loads(row["scaling"]))


def by_queue(row: Row) -> bool:
    return bool(law(row)["on"] == "queue")


def ahead(row: Row) -> bool:
    return "forecast" in law(row)


def stepped(row: Row) -> Row:
    return {"violation_s": noisy(row, 3 if by_queue(row) else 6), "verdict": "transient"}


def seasonal(row: Row) -> Row:
    violation, reserved = (4, 62) if ahead(row) else (10, 60)
    return {"violation_s": noisy(row, violation), "cpu_reserved_s": noisy(row, reserved), "verdict": "transient"}


def early(row: Row) -> Row:
    """Every reading fires 4 s before the objective breaks, and never under the steady load."""
    found: Row = {"verdict": "transient", "broken_at_s": 12 if ramp(row) else None, "violation_s": 8 * ramp(row)}
    for one in TRIGGERS:
        found |= {f"fired_{one.name}": ramp(row), f"lead_{one.name}_s": 4 if ramp(row) else None}
        found |= {f"alarms_{one.name}": 3 if ramp(row) else 0}
    return found


def table(claim: Claim, name: str) -> list[tuple[Claim, Measures, Outcome]]:
    """A trigger that is early, late, early at times, and one of which it is not known."""
    lead, fired = f"lead_{name}_s", f"fired_{name}"
    return [
        (claim, early, "holds"),
        (claim, changed(early, ramp, **{lead: 1}), "does not hold"),
        (claim, changed(early, ramp, **{lead: lambda row: row["block"]}), "not shown"),
        (claim, changed(early, ramp, **{lead: None, fired: None}), "inconclusive here"),
        (claim, changed(early, ramp, **{lead: None, fired: False}), "does not hold"),
        (claim, changed(early, lambda row: not ramp(row), **{f"alarms_{name}": 1}), "does not hold"),
        (claim, changed(early, ramp, broken_at_s=None), "inconclusive here"),
        (claim, changed(early, lambda row: not ramp(row), violation_s=2), "inconclusive here"),
    ]


@pytest.mark.parametrize(
    ("claim", "measures", "outcome"),
    [
        (scale_out.CLAIM, divided, "holds"),
        (scale_out.CLAIM, changed(divided, FOUR, throughput_rps=1900), "does not hold"),
        (scale_out.CLAIM, changed(divided, FOUR, latency_p99_us=wildly("latency_p99_us")), "not shown"),
        (scale_out.CLAIM, changed(divided, FOUR, verdict="client-bound"), "inconclusive here"),
        (central_queue.CLAIM, waits, "holds"),
        (central_queue.CLAIM, changed(waits, ONE_QUEUE, latency_p99_us=times("latency_p99_us", 4)), "does not hold"),
        (central_queue.CLAIM, changed(waits, ONE_QUEUE, latency_p99_us=wildly("latency_p99_us")), "not shown"),
        (central_queue.CLAIM, changed(waits, of(front="dns"), latency_p99_us=None), "inconclusive here"),
        (central_queue_in_turn.CLAIM, waits, "holds"),
        (central_queue_in_turn.CLAIM, changed(waits, ONE_QUEUE, latency_p99_us=90e3), "does not hold"),
        (central_queue_in_turn.CLAIM, changed(waits, ONE_QUEUE, latency_p99_us=wildly("latency_p99_us")), "not shown"),
        (central_queue_in_turn.CLAIM, changed(waits, ONE_QUEUE, verdict="invalid"), "inconclusive here"),
        (late_replica.CLAIM, added, "holds"),
        (late_replica.CLAIM, changed(added, grown, throughput_rps=300), "does not hold"),
        (late_replica.CLAIM, changed(added, grown, throughput_rps=wildly("throughput_rps")), "not shown"),
        (late_replica.CLAIM, changed(added, grown, joined=0), "inconclusive here"),
        (quota_at_once.CLAIM, at_once, "holds"),
        (quota_at_once.CLAIM, changed(at_once, of(), quota_followed_s=2.9), "does not hold"),
        (quota_at_once.CLAIM, changed(at_once, of(block=1), quota_followed_s=2.9), "not shown"),
        (quota_at_once.CLAIM, changed(at_once, of(block=1), quota_followed_s=None), "inconclusive here"),
        (cpu_metric.CLAIM, stepped, "holds"),
        (cpu_metric.CLAIM, changed(stepped, by_queue, violation_s=9), "does not hold"),
        (cpu_metric.CLAIM, changed(stepped, by_queue, violation_s=wildly("violation_s", 2)), "not shown"),
        (cpu_metric.CLAIM, changed(stepped, by_queue, violation_s=None), "inconclusive here"),
        (forecast.CLAIM, seasonal, "holds"),
        (forecast.CLAIM, changed(seasonal, ahead, cpu_reserved_s=75), "does not hold"),
        (forecast.CLAIM, changed(seasonal, of(), violation_s=0), "not shown"),
        (forecast.CLAIM, changed(seasonal, ahead, violation_s=None), "inconclusive here"),
        (forecast_halves.CLAIM, seasonal, "holds"),
        (forecast_halves.CLAIM, changed(seasonal, ahead, violation_s=8), "does not hold"),
        (forecast_halves.CLAIM, changed(seasonal, of(), violation_s=0), "not shown"),
        (forecast_halves.CLAIM, changed(seasonal, ahead, violation_s=None), "inconclusive here"),
        *table(trigger_accept_queue.CLAIM, "accept_queue"),
        *table(trigger_in_flight.CLAIM, "in_flight"),
        *table(trigger_cpu.CLAIM, "cpu"),
    ],
)
def test_each_outcome_is_found_in_rows_that_show_it(claim: Claim, measures: Measures, outcome: Outcome) -> None:
    found = claim.decide(made(claim, measures))
    assert found.outcome == outcome, found.decided


def test_the_readings_are_ranked_by_false_alarms_and_then_by_their_lead() -> None:
    alarmed = changed(early, lambda row: not ramp(row), alarms_errors=1)
    ahead_of_all = changed(alarmed, ramp, lead_throttled_s=7)
    told = trigger_cpu.CLAIM.decide(made(trigger_cpu.CLAIM, ahead_of_all)).decided
    ranked = told.partition("in their order: ")[2]
    assert ranked.startswith("throttling (7 s, 0 false alarms)")
    assert ranked.rpartition(", errors")[2].startswith(" (4 s")


def test_the_figure_of_a_trigger_is_its_lead_and_the_range() -> None:
    found = trigger_cpu.CLAIM.decide(made(trigger_cpu.CLAIM, changed(early, ramp, lead_cpu_s=lambda row: row["block"])))
    assert (found.figure, found.low, found.high) == ("3 s before (1 to 5)", 1, 5)
