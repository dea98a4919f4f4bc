"""Intervals cover what they claim, small samples claim less, and warnings name what helps."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from testbed import statistics
from testbed.statistics import (
    Interval,
    coefficient_of_variation,
    compare_words,
    median_interval,
    ratio_interval,
    required_repeats,
    unpaired_ratio_interval,
    warnings,
)


def by_block(*values: float) -> dict[int, float]:
    return dict(enumerate(values, start=1))


# --- medians ---


@pytest.mark.parametrize("values", [[5.0], [5.0, 7.0]])
def test_fewer_than_three_values_give_a_median_and_no_interval(values: list[float]) -> None:
    found = median_interval(values)
    assert (found.low, found.high, found.confidence) == (None, None, 0.0)
    assert found.estimate == np.median(values)
    assert "at least 3 are needed" in found.note


@pytest.mark.parametrize(("count", "claimed"), [(3, 0.75), (4, 0.875), (5, 0.9375), (6, 0.95), (20, 0.95)])
def test_a_small_sample_claims_no_more_than_its_range_can_hold(count: int, claimed: float) -> None:
    values = [float(n) for n in range(1, count + 1)]
    found = median_interval(values)
    assert found.confidence == claimed
    assert bool(found.note) == (claimed < 0.95)
    if count < 6:
        assert (found.low, found.high) == (1.0, float(count))


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


def test_the_medians_interval_covers_the_median_as_often_as_it_claims() -> None:
    rng = np.random.default_rng(5)
    found = [median_interval(rng.lognormal(size=8).tolist()) for _ in range(150)]
    covered = sum(one.low is not None and one.high is not None and one.low <= 1 <= one.high for one in found)
    assert 0.88 <= covered / 150 <= 0.99


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-3, 1e6), min_size=3, max_size=12), st.integers(0, 9))
def test_the_interval_holds_its_estimate_lies_in_the_sample_and_repeats(values: list[float], seed: int) -> None:
    found = median_interval(values, seed=seed)
    assert found == median_interval(values, seed=seed)
    assert found.low is not None and found.high is not None
    assert min(values) <= found.low <= found.estimate <= found.high <= max(values)


# --- ratios ---


def test_drift_between_blocks_cancels_in_the_ratio() -> None:
    drift = (1.0, 3.0, 0.5, 2.0, 1.5)
    found = ratio_interval(by_block(*(110 * d for d in drift)), by_block(*(100 * d for d in drift)))
    assert found.low == pytest.approx(1.1)
    assert found.high == pytest.approx(1.1)
    assert found.count == 5


@pytest.mark.parametrize("blocks", [1, 2])
def test_fewer_than_three_blocks_give_no_interval_and_no_verdict_on_the_difference(blocks: int) -> None:
    found = ratio_interval(by_block(*[300.0] * blocks), by_block(*[100.0] * blocks))
    assert (found.low, found.high, found.confidence) == (None, None, 0.0)
    words = compare_words(found, "spmt", "spst")
    assert "no interval from" in words
    assert words.endswith("set `repeat: 3` or more")


def test_blocks_without_a_pair_are_left_out_and_counted() -> None:
    found = ratio_interval({1: 2.0, 2: 2.0, 3: 2.0, 4: 9.0, 6: 0.0}, {1: 1.0, 2: 1.0, 3: 1.0, 5: 9.0, 6: 1.0})
    assert found.estimate == pytest.approx(2.0)
    assert found.count == 3
    assert found.note == "3 of 6 blocks left out: no value of both"
    assert "3 of 6 blocks left out" in compare_words(found, "a", "b")


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        ratio_interval({1: 1.0}, {2: 1.0})


@pytest.mark.parametrize("blocks", [3, 5, 10])
def test_equal_models_are_called_different_no_more_often_than_claimed(blocks: int) -> None:
    rng = np.random.default_rng(blocks)
    different = 0
    for _ in range(200):
        found = ratio_interval(by_block(*rng.lognormal(0, 0.1, blocks)), by_block(*rng.lognormal(0, 0.1, blocks)))
        different += "no difference shown" not in compare_words(found, "a", "b")
    # 5 % of 200 are 10; more than 20 would be three standard errors too many. The bootstrap alone gives 20 to 50.
    assert different <= 20


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0.1, 1e4)), min_size=3, max_size=8))
def test_the_inverse_comparison_is_the_inverse_ratio(pairs: list[tuple[float, float]]) -> None:
    a, b = (by_block(*(pair[i] for pair in pairs)) for i in (0, 1))
    there, back = ratio_interval(a, b), ratio_interval(b, a)
    assert there.low is not None and there.high is not None and back.low is not None
    assert there.low <= there.estimate * (1 + 1e-9) and there.estimate <= there.high * (1 + 1e-9)
    assert there.estimate == pytest.approx(1 / back.estimate)
    assert there.high == pytest.approx(1 / back.low, rel=0.05 + 0.2 * abs(math.log(there.high / there.low)))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.9, 1.2, "no difference shown between spmt and spst (95% interval 0.9 to 1.2, 5 blocks)"),
        (1.0, 1.2, "no difference shown between spmt and spst (95% interval 1 to 1.2, 5 blocks)"),
        (1.01, 1.2, "spmt / spst = 1.1 (95% interval 1.01 to 1.2, 5 blocks)"),
        (0.7, 0.99, "spmt / spst = 1.1 (95% interval 0.7 to 0.99, 5 blocks)"),
    ],
)
def test_a_difference_is_shown_only_where_the_interval_excludes_one(low: float, high: float, words: str) -> None:
    assert compare_words(Interval(1.1, low, high, 0.95, 5), "spmt", "spst") == words


# --- variation and warnings ---


def test_the_bootstrap_is_that_of_scipy_with_the_same_draws() -> None:
    from scipy import stats  # here alone: it takes a second to import

    for statistic, confidence, count in itertools.product((np.mean, np.median), (0.9, 0.95), (2, 3, 5, 20)):
        sample = np.random.default_rng(count).lognormal(size=count)
        found = stats.bootstrap(
            (sample,),
            statistic,
            n_resamples=statistics.RESAMPLES,
            confidence_level=confidence,
            method="percentile",
            rng=np.random.default_rng(7),
        ).confidence_interval
        interval = statistics._bootstrap(tuple(sample), statistic, confidence, 7)
        assert interval == pytest.approx((found.low, found.high), rel=1e-12), (statistic, confidence, count)


def test_coefficient_of_variation() -> None:
    assert coefficient_of_variation([90, 100, 110]) == pytest.approx(0.1)
    assert coefficient_of_variation([100]) is None
    assert coefficient_of_variation([-1, 1]) is None


@pytest.mark.parametrize("cv", [0.01, 0.03, 0.1, 0.3])
def test_required_repeats_are_the_least_that_reach_the_half_width(cv: float) -> None:
    needed = required_repeats([1 - cv, 1.0, 1 + cv])
    assert needed is not None

    def half_width(n: int) -> float:
        return float(special.stdtrit(n - 1, 0.975)) * cv / math.sqrt(n)

    assert half_width(needed) <= 0.05
    assert needed == 2 or half_width(needed - 1) > 0.05


def test_required_repeats_end_somewhere() -> None:
    assert required_repeats([1.0, 1.0]) == 2
    assert required_repeats([1.0]) is None
    assert required_repeats([1e-9, 1e-9, 1e-9, 1e-9, 1.0]) is not None


@pytest.mark.parametrize(
    ("values", "found", "help_"),
    [
        ([100.0], "no interval from 1 block", "set `repeat: 5` or more"),
        ([100.0, 101.0], "no interval from 2 blocks", "set `repeat: 5` or more"),
        ([100.0, 120.0, 80.0] * 40, "standard deviation is 16% of the mean, above 10%", "`orchestrate.py doctor`"),
        ([100.0] * 99 + [160.0], "maximum is 59% above the mean, more than 50%", "double `duration`"),
        ([100.0] * 99 + [45.0], "minimum is 55% below the mean, more than 50%", "double `duration`"),
        ([100.0, 105.0, 95.0], "3 repeats do not give the mean within 5%", "set `repeat: 7`"),
    ],
)
def test_each_warning_comes_alone_and_ends_with_what_helps(values: list[float], found: str, help_: str) -> None:
    (warning,) = warnings(values, "throughput of spmt")
    assert warning.startswith("throughput of spmt: ")
    assert found in warning
    assert warning.endswith(help_)


@pytest.mark.parametrize("values", [[100.0, 101.0, 99.0], [5.0] * 3, [0.0, 0.0, 0.0], [100.0] * 99 + [149.0]])
def test_quiet_repeats_give_no_warning(values: list[float]) -> None:
    assert warnings(values, "throughput") == ()


# --- ratios of two runs ---


@pytest.mark.parametrize(("count", "other", "spread"), [(3, 3, 1.0), (5, 3, 1.0), (5, 5, 3.0)])
def test_the_ratio_of_two_runs_covers_the_truth_as_often_as_it_claims(count: int, other: int, spread: float) -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        a = 2.0 * rng.lognormal(sigma=0.1, size=count)
        b = rng.lognormal(sigma=0.1 * spread, size=other)
        found = unpaired_ratio_interval(a.tolist(), b.tolist())
        assert found.low is not None and found.high is not None
        covered += found.low <= 2.0 <= found.high
    assert 0.91 <= covered / 400 <= 0.99


def test_two_runs_with_too_few_values_give_a_ratio_alone() -> None:
    found = unpaired_ratio_interval([2.0, 2.0, 2.0], [1.0, 1.0])
    assert (found.estimate, found.low, found.count) == (2.0, None, 2)
    assert "no interval from 2 trials a side" in found.note


def test_runs_that_agree_to_the_last_bit_give_an_interval_without_width() -> None:
    found = unpaired_ratio_interval([4.0] * 3, [2.0] * 3)
    assert (found.estimate, found.low, found.high) == (2.0, 2.0, 2.0)


def test_values_without_a_logarithm_are_left_out_and_counted() -> None:
    found = unpaired_ratio_interval([4.0, 4.0, 4.0, 0.0], [2.0, 2.0, 2.0])
    assert (found.estimate, found.note) == (2.0, "1 values left out: they have no logarithm")
    with pytest.raises(ValueError, match="one side has no value"):
        unpaired_ratio_interval([0.0], [1.0])
