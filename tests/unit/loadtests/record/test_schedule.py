import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.record import schedule
from loadtests.record.schedule import SlotCounts

rates = st.floats(0.1, 50_000)
workers = st.integers(1, 8)
kinds = st.sampled_from(["constant", "poisson"])


def take(count, kind, begins_at, rate, worker=0, of=1, seed=1):
    return list(itertools.islice(schedule.arrivals(kind, begins_at, rate, worker, of, seed), count))


@pytest.mark.parametrize("rate", [0.5, 333.3, 5000])
def test_constant_slots_are_at_the_rate_from_the_first_and_no_rounding_adds_up(rate):
    slots = take(100_001, "constant", 1000.0, rate)
    assert slots[0] == 1000.0
    assert slots[100_000] == 1000.0 + 100_000 / rate


@pytest.mark.parametrize("of", [1, 3])
def test_the_mean_rate_of_random_arrivals_is_the_one_asked_for(of):
    slots = take(10_000, "poisson", 0.0, 900.0, worker=of - 1, of=of)
    # Gaps are exponential: the mean of 10,000 has a relative standard deviation of 1 %.
    assert 10_000 / slots[-1] == pytest.approx(900 / of, rel=0.04)


def test_random_arrivals_are_as_irregular_as_a_poisson_process():
    gaps = [late - early for early, late in itertools.pairwise(take(10_000, "poisson", 0.0, 1000.0))]
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.05)
    assert sum(gap < 0.001 for gap in gaps) == pytest.approx(10_000 * (1 - math.exp(-1)), rel=0.03)


@given(rates, workers)
def test_the_workers_slots_together_are_the_slots_of_one(rate, of):
    shares = [take(20, "constant", 5.0, rate, worker, of) for worker in range(of)]
    assert sorted(itertools.chain(*shares)) == take(20 * of, "constant", 5.0, rate)


@given(kinds, rates, workers, st.integers(0, 2**53))
def test_slots_never_go_back_and_none_lies_before_the_beginning(kind, rate, of, seed):
    slots = take(200, kind, 7.0, rate, of - 1, of, seed)
    assert slots == sorted(slots)
    assert slots[0] >= 7.0


def test_a_seed_gives_the_same_arrivals_again_and_every_worker_its_own():
    assert take(50, "poisson", 0.0, 10.0, 0, 2, 5) == take(50, "poisson", 0.0, 10.0, 0, 2, 5)
    assert take(50, "poisson", 0.0, 10.0, 0, 2, 5) != take(50, "poisson", 0.0, 10.0, 1, 2, 5)
    assert take(50, "poisson", 0.0, 10.0, 0, 2, 5) != take(50, "poisson", 0.0, 10.0, 0, 2, 6)


def in_window(counts, which):
    return sum(entry[which] for entry in counts.to_wire() if entry[0] >= 0 and not entry[1])


OFFERED, MISSED = 2, 3


@given(
    st.lists(st.floats(0, 0.4), min_size=1, max_size=100),
    st.lists(st.floats(0, 1.5), max_size=100),
    st.floats(0, 2),
    st.floats(0.05, 5),
)
def test_offered_and_missed_are_exact_whatever_is_sent_late_or_never(gaps, delays, warmup_s, window_s):
    opens_at, closes_at = 10 + warmup_s, 10 + warmup_s + window_s
    slots = list(itertools.accumulate(gaps, initial=10.0))
    # Sent in order, each at its time or when the one before was sent; those without a delay are never sent.
    sent_at = list(itertools.accumulate((slot + delay for slot, delay in zip(slots, delays, strict=False)), max))
    counts = SlotCounts(opens_at, closes_at)
    for slot, at in zip(slots, sent_at, strict=False):
        counts.sent(slot, at)
    counts.unsent(slots[len(sent_at) :])
    never = [math.inf] * (len(slots) - len(sent_at))
    inside = [(slot, at) for slot, at in zip(slots, sent_at + never, strict=True) if opens_at <= slot < closes_at]
    assert in_window(counts, OFFERED) == len(inside)
    assert in_window(counts, MISSED) == sum(at >= closes_at for _slot, at in inside)
    assert sum(entry[OFFERED] for entry in counts.to_wire()) == len(slots)


def test_slots_are_counted_in_the_second_they_were_due_not_in_the_one_they_were_sent():
    counts = SlotCounts(100.0, 102.5)
    for due, at in [(99.5, 99.5), (100.0, 101.7), (101.2, 102.4), (102.4, 102.6), (102.6, 102.7)]:
        counts.sent(due, at)
    counts.unsent([102.9])
    assert counts.to_wire() == [[-1, 0, 1, 0], [0, 0, 1, 0], [1, 0, 1, 0], [2, 0, 1, 1], [2, 1, 2, 1]]
