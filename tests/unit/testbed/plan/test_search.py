"""The search finds the rate at which an objective stops to hold, from any start and in spite of a wrong result."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.plan.search import (
    CONFIRMATIONS,
    LEAST_RATE_RPS,
    MOST_INVALID,
    MOST_INVALID_IN_A_ROW,
    MOST_RATE_RPS,
    MOST_STEPS,
    PRECISION,
    Capacity,
    Search,
)


def search(holds: Callable[[float], bool], first_rps: float = 100.0) -> tuple[Capacity, list[float]]:
    found = Search(first_rps)
    asked: list[float] = []
    while (rate := found.next_rate()) is not None:
        asked.append(rate)
        found.record(rate, holds(rate))
    return found.found(), asked


@given(st.floats(LEAST_RATE_RPS, MOST_RATE_RPS), st.floats(LEAST_RATE_RPS, MOST_RATE_RPS))
def test_a_sharp_limit_is_found_within_the_precision_from_any_start(limit: float, first: float) -> None:
    capacity, asked = search(lambda rate: rate <= limit, first)
    assert capacity.confirmed
    assert capacity.rate_rps <= limit
    assert capacity.fails_at_rps is None or limit < capacity.fails_at_rps <= capacity.rate_rps * PRECISION * 1.001
    assert asked.count(capacity.rate_rps) >= CONFIRMATIONS
    assert len(asked) <= 20


@pytest.mark.parametrize("wrong", range(8))
def test_one_wrong_failure_anywhere_does_not_hold_the_search_down(wrong: int) -> None:
    count = iter(range(1000))
    capacity, _ = search(lambda rate: rate <= 1000 and next(count) != wrong)
    assert capacity.confirmed
    assert 1000 / PRECISION <= capacity.rate_rps <= 1000


def test_it_comes_back_from_zero() -> None:
    """The first results fail down to the least rate, as with a server that is slow to warm up."""
    count = iter(range(1000))
    capacity, asked = search(lambda rate: rate <= 1000 and next(count) >= 5)
    assert LEAST_RATE_RPS in asked
    assert capacity.rate_rps >= 1000 / PRECISION


def test_a_server_that_never_holds_has_capacity_zero() -> None:
    capacity, asked = search(lambda _: False)
    assert capacity == Capacity(0.0, LEAST_RATE_RPS, len(asked), confirmed=True)
    assert len(asked) < 10


def test_a_server_without_limit_ends_at_the_most_rate() -> None:
    capacity, _ = search(lambda _: True)
    assert capacity.rate_rps == MOST_RATE_RPS
    assert capacity.fails_at_rps is None


def test_noise_ends_within_the_most_steps_and_says_so_when_unconfirmed() -> None:
    noise = random.Random(7)
    capacity, asked = search(lambda rate: noise.random() < 500 / (500 + rate))
    assert len(asked) <= MOST_STEPS
    assert capacity.confirmed == (len(asked) < MOST_STEPS)


# --- trials that give no result: None ---


def asked_for(gives: Callable[[int, float], bool | None]) -> tuple[Capacity, list[float]]:
    """`gives` says of the n-th trial, from 0, and its rate: held, failed, or None for an invalid one."""
    found = Search()
    asked: list[float] = []
    while (rate := found.next_rate()) is not None:
        held = gives(len(asked), rate)
        asked.append(rate)
        if held is None:
            found.record_invalid(rate, "the table was full")
        else:
            found.record(rate, held)
    return found.found(), asked


def test_invalid_trials_above_a_rate_are_no_capacity_below_it() -> None:
    capacity, asked = asked_for(lambda _, rate: None if rate > 500 else True)
    assert (capacity.answered, capacity.rate_rps, capacity.fails_at_rps, capacity.confirmed) == (
        False,
        None,
        None,
        False,
    )
    assert capacity.reason == "3 invalid trials in a row, the last at 1600 requests/s: the table was full"
    assert asked == [100.0, 400.0, *[1600.0] * MOST_INVALID_IN_A_ROW]


@pytest.mark.parametrize("wrong", range(10))
@pytest.mark.parametrize("times", [1, 2])
def test_an_invalid_trial_anywhere_is_tried_again_and_changes_no_answer(wrong: int, times: int) -> None:
    clean, asked_clean = asked_for(lambda _, rate: rate <= 740)
    capacity, asked = asked_for(lambda n, rate: None if wrong <= n < wrong + times else rate <= 740)
    assert capacity.invalid == times
    assert (capacity.rate_rps, capacity.fails_at_rps, capacity.steps) == (
        clean.rate_rps,
        clean.fails_at_rps,
        clean.steps,
    )
    assert asked[:wrong] + asked[wrong + times :] == asked_clean


def test_a_search_whose_first_rate_cannot_be_measured_has_no_answer() -> None:
    capacity, asked = asked_for(lambda *_: None)
    assert not capacity.answered
    assert asked == [100.0] * MOST_INVALID_IN_A_ROW
    assert capacity.steps == 0


def test_invalid_trials_that_come_and_go_end_the_search_too() -> None:
    capacity, asked = asked_for(lambda n, rate: None if n % 3 else rate <= 740)
    assert not capacity.answered
    assert capacity.invalid == MOST_INVALID
    assert len(asked) <= MOST_INVALID + MOST_STEPS


def test_a_search_that_is_not_over_has_no_answer() -> None:
    found = Search()
    for held in (True, True, False):
        found.record(found.next_rate() or 0.0, held)
    assert found.found() == Capacity(None, None, 3, confirmed=False, reason="interrupted")
