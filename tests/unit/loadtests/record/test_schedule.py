import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import profiles
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


# --- a rate that changes ---

CHANGING = ("100x2s,400x3s", "100-400x3s,50x1s", "200+-200/2sx4s,100x1s", "30x1s,0x1s,70x1s", "0-300x2s,300-10x2s")
WARMUP_S = 1.25


def changing(kind, text, worker=0, of=1, seed=1, until_s=6.0):
    """The slots of a run that begins at 50 and whose window opens at 51.25, from the opening on, up to a moment."""
    opens_at = 50.0 + WARMUP_S
    found = schedule.changing(kind, profiles.parse(text), 50.0, opens_at, worker, of, seed)
    return [at - opens_at for at in itertools.takewhile(lambda at: at < opens_at + until_s, found)]


@pytest.mark.parametrize("text", CHANGING)
@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_the_shares_of_a_changing_rate_are_all_of_it_with_no_slot_twice(text, of):
    shares = [changing("constant", text, worker, of) for worker in range(of)]
    whole = changing("constant", text)
    assert sorted(itertools.chain(*shares)) == pytest.approx(whole, abs=1e-6)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", CHANGING)
def test_a_window_holds_the_integral_of_the_rate(text):
    profile = profiles.parse(text)
    slots = changing("constant", text)
    for edge in (1, 2, 3.5, 5, 6):
        inside = sum(0 <= at < edge for at in slots)
        # Number 0 is due at the opening.
        assert abs(inside - profile.count(edge)) <= 1, edge
    assert all(late >= early for early, late in itertools.pairwise(slots))


def test_the_warm_up_runs_at_the_first_rate_and_goes_over_into_the_window_evenly():
    slots = changing("constant", "100x2s,400x3s")
    before = [at for at in slots if at < 0]
    assert len(before) == 125
    assert before[0] == pytest.approx(-WARMUP_S)
    gaps = [late - early for early, late in itertools.pairwise(slots[:326])]
    assert gaps == pytest.approx([0.01] * 325, abs=1e-9)
    assert min(at for at in slots if at >= 0) == 0.0
    assert changing("constant", "0-300x2s")[0] == 0.0
    assert min(changing("poisson", "0-300x2s")) > 0


def test_a_second_of_a_step_has_its_rate_to_the_slot():
    slots = changing("constant", "100x2s,400x3s,0x1s")
    assert [sum(second <= at < second + 1 for at in slots) for second in range(6)] == [100, 100, 400, 400, 400, 0]


@pytest.mark.parametrize("of", [1, 3])
def test_random_arrivals_follow_the_rate(of):
    slots = [at for w in range(of) for at in changing("poisson", "1000x2s,4000x2s,1000-3000x2s", w, of)]
    seconds = [sum(second <= at < second + 1 for at in slots) for second in range(6)]
    for found, expected in zip(seconds, [1_000, 1_000, 4_000, 4_000, 1_500, 2_500], strict=True):
        # Five standard deviations of a Poisson count.
        assert found == pytest.approx(expected, abs=5 * expected**0.5)
    assert sum(at < 0 for at in slots) == pytest.approx(1_250, abs=180)
    gaps = [late - early for early, late in itertools.pairwise(sorted(at for at in slots if 2 <= at < 4))]
    assert statistics.stdev(gaps) == pytest.approx(statistics.mean(gaps), rel=0.07)


def test_random_arrivals_of_a_changing_rate_come_again_with_the_seed():
    text = CHANGING[0]
    assert changing("poisson", text, 0, 2, 5) == changing("poisson", text, 0, 2, 5)
    assert changing("poisson", text, 0, 2, 5) != changing("poisson", text, 1, 2, 5)
    assert changing("poisson", text, 0, 2, 5) != changing("poisson", text, 0, 2, 6)


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
