import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from loadtests.record import hdr
from loadtests.record.histogram import RELATIVE_ERROR, Histogram

microseconds = st.integers(0, 3_600_000_000)


def histogram_of(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(st.lists(microseconds, min_size=1, max_size=200), st.sampled_from([1, 10, 50, 90, 99, 99.9, 100]))
def test_the_standard_library_reads_the_same_counts_and_percentiles(values, percent):
    histogram = histogram_of(values)
    decoded = HdrHistogram.decode(hdr.encode(histogram))
    assert decoded.get_total_count() == len(values)
    theirs, ours = decoded.get_value_at_percentile(percent), histogram.percentile(percent / 100)
    # Theirs is the upper end of the bucket, ours its middle; ranks may differ by the rounding of the fraction.
    exact = sorted(values)
    near = {exact[max(0, min(len(exact) - 1, round(percent / 100 * len(exact)) + step))] for step in (-2, -1, 0, 1)}
    assert any(abs(theirs - value) <= 2 * RELATIVE_ERROR * max(value, 1) for value in near)
    assert any(abs(ours - value) <= 2 * RELATIVE_ERROR * max(value, 1) for value in near)


@given(st.dictionaries(microseconds, st.integers(1, 2**40), min_size=1, max_size=30))
def test_every_bucket_arrives_with_its_count_however_large(counts):
    histogram = Histogram()
    for value, count in counts.items():
        histogram.record(value)
        for bucket in histogram.counts:
            histogram.counts[bucket] += count
    decoded = HdrHistogram.decode(hdr.encode(histogram))
    assert decoded.get_total_count() == histogram.count
    for lower, _upper, count in histogram.buckets():
        assert decoded.get_count_at_value(lower) == count


def test_a_histogram_read_back_can_be_added_to_others():
    first = HdrHistogram.decode(hdr.encode(histogram_of([5, 300, 70_000])))
    second = HdrHistogram.decode(hdr.encode(histogram_of([5])))
    first.add(second)
    assert (first.get_count_at_value(5), first.get_total_count()) == (2, 4)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, b"\x00"), (1, b"\x02"), (-1, b"\x01"), (63, b"\x7e"), (64, b"\x80\x01"), (-65, b"\x81\x01")],
)
def test_small_numbers_take_one_byte_and_the_sign_is_in_the_lowest_bit(value, written):
    assert hdr._zigzag(value) == written


def test_the_largest_number_takes_nine_bytes():
    assert hdr._zigzag(2**63 - 1) == b"\xfe" + b"\xff" * 8
