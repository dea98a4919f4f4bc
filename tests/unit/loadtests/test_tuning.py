import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.tuning import three_figures


@pytest.mark.parametrize(
    ("response_time_ms", "bucket"),
    [(0.0234, 0.023), (0.4567, 0.457), (1.234, 1.23), (45.67, 45.7), (456.7, 457), (4567.8, 4570), (45678.9, 45700)],
)
def test_locusts_percentiles_keep_three_figures_below_a_millisecond_too(response_time_ms, bucket):
    assert three_figures(response_time_ms) == bucket


@given(st.floats(1, 1e7))
def test_a_bucket_is_within_half_a_percent_of_the_value(response_time_ms):
    assert three_figures(response_time_ms) == pytest.approx(response_time_ms, rel=0.0051)
