"""A search asks for the trials it needs, believes only valid ones, and measures at shares of what it found."""

from pathlib import Path
from typing import Any

import pytest

from testbed.plan import trials
from testbed.plan.steps import Answer, holds, program
from testbed.plan.sweepfile import Machine, Sweep, parse
from testbed.plan.trials import Trial
from tests.unit.testbed.rows import row

SLO = 50_000


def sweep(load: str) -> Sweep:
    return parse(f"name: a\nmodels: spmt\nload: {load}\n", Path("a.yaml"), Machine(2, 2**33))


def run(wanted: Sweep, limit_rps: float, **beyond: Any) -> tuple[list[Trial], Answer | None]:
    """Answer every trial as a server that keeps the objective up to a limit, and beyond it gives these values."""
    steps = program(trials.trials(wanted)[0], wanted)
    asked = [next(steps)]
    while True:
        cell = asked[-1].cell
        fine = (cell.rate_rps or 0) <= limit_rps
        answer = row(cell, **({"achieved_over_offered": 1.0, "latency_p99_us": 9_000} | ({} if fine else beyond)))
        if not fine and not beyond:
            answer["latency_p99_us"] = 10 * SLO
        try:
            asked.append(steps.send(answer))
        except StopIteration as end:
            return asked, end.value


def test_without_a_search_there_is_one_trial() -> None:
    asked, answer = run(sweep("{mode: open, rate: 100}"), 1000)
    assert [trial.trial_id for trial in asked] == ["001-b1-spmt-1cpu"]
    assert answer is None


def test_a_capacity_is_found_in_trials_of_their_own() -> None:
    asked, answer = run(sweep("{mode: capacity, slo: {p99: 50ms}}"), 740)
    assert answer is not None
    assert 740 / 1.08 <= answer.capacity.rate_rps <= 740
    assert len({trial.trial_id for trial in asked}) == len(asked) == answer.capacity.steps
    assert asked[0].trial_id == "001-b1-spmt-1cpu-s01"
    assert answer.row()["rate_rps"] == answer.capacity.rate_rps


def test_latency_is_measured_at_shares_of_the_capacity() -> None:
    asked, answer = run(sweep("{mode: relative, slo: {p99: 50ms}, at: [0.5, 0.9]}"), 740)
    assert answer is not None
    half, most = asked[-2:]
    assert half.trial_id.endswith("-at50")
    assert half.cell.rate_rps == pytest.approx(answer.capacity.rate_rps / 2, rel=1e-3)
    assert most.cell.rate_rps == pytest.approx(answer.capacity.rate_rps * 0.9, rel=1e-3)


def test_a_limit_of_the_generator_is_said_to_be_one() -> None:
    _, answer = run(sweep("{mode: capacity, slo: {p99: 50ms}}"), 740, verdict="client-bound", achieved_over_offered=0.5)
    assert answer is not None
    assert answer.client_bound


@pytest.mark.parametrize(
    ("values", "sustained"),
    [
        ({}, True),
        ({"verdict": "invalid"}, False),
        ({"failed": 1}, False),
        ({"latency_p99_us": SLO + 1}, False),
        ({"achieved_over_offered": 0.97}, False),
        ({"achieved_over_offered": None}, False),
        ({"latency_p99_us": None, "latency_max_us": SLO}, True),
        ({"latency_p99_us": None, "latency_max_us": SLO + 1}, False),
        ({"latency_p99_us": None, "latency_max_us": None}, False),
    ],
)
def test_a_rate_is_sustained_only_when_everything_holds(values: dict[str, Any], sustained: bool) -> None:
    cell = trials.trials(sweep("{mode: open, rate: 100}"))[0].cell
    fine = {"achieved_over_offered": 1.0, "latency_p99_us": 9_000}
    assert holds(row(cell, **(fine | values)), SLO) == sustained


def test_an_invalid_step_is_asked_for_again_under_a_name_of_its_own() -> None:
    asked, answer = run(sweep("{mode: relative, slo: {p99: 50ms}, at: 0.5}"), 740, verdict="invalid", reasons="full")
    assert answer is not None
    assert not answer.capacity.answered
    assert answer.capacity.reason == "3 invalid trials in a row, the last at 1600 requests/s: full"
    assert [(trial.step, trial.cell.rate_rps) for trial in asked[-3:]] == [(3, 1600.0), (4, 1600.0), (5, 1600.0)]
    assert len({trial.trial_id for trial in asked}) == len(asked)
    shown = answer.row()
    assert (shown["answered"], shown["rate_rps"], shown["confirmed"], shown["client_bound"]) == (
        False,
        None,
        None,
        None,
    )


def test_where_the_generator_was_not_the_limit_of_the_answer_it_is_not_said() -> None:
    _, answer = run(sweep("{mode: capacity, slo: {p99: 50ms}}"), 740)
    assert answer is not None
    assert not answer.client_bound


def test_trials_of_a_search_say_which_step_or_share_they_are() -> None:
    asked, _ = run(sweep("{mode: relative, slo: {p99: 50ms}, at: [0.5, 0.57]}"), 740)
    assert {trial.search_id for trial in asked} == {"001-b1-spmt-1cpu"}
    steps, shares = asked[:-2], asked[-2:]
    assert [trial.step for trial in steps] == list(range(1, len(steps) + 1))
    assert {trial.cell.share for trial in steps} == {None}
    assert [(trial.step, trial.cell.share, trial.trial_id[-5:]) for trial in shares] == [
        (None, 0.5, "-at50"),
        (None, 0.57, "-at57"),
    ]
