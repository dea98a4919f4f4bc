"""The search finds the rate at which an objective stops to hold, from any start and in spite of a wrong result."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.capacity import CONFIRMATIONS, LEAST_RATE_RPS, MOST_RATE_RPS, MOST_STEPS, PRECISION, Capacity, Search


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
