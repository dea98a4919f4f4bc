import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.record.histogram import RELATIVE_ERROR, Histogram, bucket_of, lower_edge, representative

microseconds = st.integers(0, 3_600_000_000)
samples = st.lists(microseconds, min_size=1, max_size=200)


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(microseconds)
def test_a_value_lies_between_the_edges_of_its_bucket(value):
    index = bucket_of(value)
    assert lower_edge(index) <= value < lower_edge(index + 1)


@given(microseconds)
def test_a_buckets_representative_is_within_one_percent_of_every_value_in_it(value):
    assert abs(representative(bucket_of(value)) - value) <= RELATIVE_ERROR * value < 0.01 * max(value, 1)


@given(microseconds, microseconds)
def test_buckets_keep_the_order_of_values(one, other):
    assert (bucket_of(one) <= bucket_of(other)) or one > other


@given(samples, samples)
def test_merging_is_the_same_as_recording_everything_in_one_place(some, others):
    merged = histogram_of(some)
    merged.merge(histogram_of(others))
    assert merged == histogram_of(some + others)


@given(samples)
def test_recording_many_is_the_same_as_recording_each(values):
    histogram = Histogram()
    added = histogram.record_many(values[:3]) + histogram.record_many(values[3:])
    assert histogram == histogram_of(values)
    assert added == histogram.counts


@given(samples)
def test_merging_with_an_empty_histogram_changes_nothing(values):
    merged = Histogram()
    merged.merge(histogram_of(values))
    merged.merge(Histogram())
    assert merged == histogram_of(values)


@given(samples)
def test_the_wire_form_carries_everything(values):
    histogram = histogram_of(values)
    assert Histogram.from_wire(histogram.to_wire()) == histogram


@given(samples, st.floats(0.001, 1))
def test_a_percentile_is_within_one_percent_of_the_value_at_its_rank_and_inside_the_extremes(values, fraction):
    found = histogram_of(values).percentile(fraction)
    exact = sorted(values)[math.ceil(fraction * len(values)) - 1]
    assert abs(found - exact) <= RELATIVE_ERROR * exact
    assert min(values) <= found <= max(values)


@given(samples)
def test_count_mean_and_extremes_are_exact(values):
    histogram = histogram_of(values)
    assert histogram.count == len(values)
    assert histogram.mean == sum(values) / len(values)
    assert (histogram.minimum, histogram.maximum) == (min(values), max(values))


@given(samples)
def test_buckets_rise_do_not_overlap_and_hold_every_value(values):
    buckets = list(histogram_of(values).buckets())
    assert sum(count for _lower, _upper, count in buckets) == len(values)
    assert all(upper <= lower for (_l, upper, _c), (lower, _u, _n) in itertools.pairwise(buckets))


def test_an_empty_histogram_has_no_percentile_and_no_mean():
    assert Histogram().percentile(0.5) is None
    assert Histogram().mean is None


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, 50])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction"):
        Histogram().percentile(fraction)
