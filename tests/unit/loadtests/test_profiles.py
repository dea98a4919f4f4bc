"""A rate that changes: its notation, its integral, and the moments at which its requests are due."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests import profiles
from loadtests.profiles import MOST_SEGMENTS, Profile
from loadtests.segments import Ramp, Sine


def due(text, until_s):
    """All that are due before `until_s`."""
    return list(itertools.takewhile(lambda at: at < until_s, profiles.parse(text).times(itertools.count())))


@pytest.mark.parametrize(
    ("typed", "text", "segments"),
    [
        ("100x20s", "100x20s", (Ramp(100, 100, 20),)),
        (" 100x20s , 400x1m ", "100x20s,400x60s", (Ramp(100, 100, 20), Ramp(400, 400, 60))),
        ("0-400.50x1500ms", "0-400.5x1500ms", (Ramp(0, 400.5, 1.5),)),
        ("200+-150/60sx2m", "200+-150/60sx120s", (Sine(200, 150, 60, 120),)),
        ("5-5x0.25s", "5x250ms", (Ramp(5, 5, 0.25),)),
        ("0.1234567x1001us", "0.123457x1001us", (Ramp(0.123457, 0.123457, 0.001001),)),
    ],
)
def test_the_notation_is_read_and_written_again_in_one_way(typed, text, segments):
    found = profiles.parse(typed)
    assert (found.segments, found.text) == (segments, text)
    assert profiles.parse(text) == found


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "segment 1, '': allowed: segments such as"),
        ("100", "segment 1, '100': allowed"),
        ("100x20", "segment 1, '100x20': allowed"),
        ("100x20s,", "segment 2, '': allowed"),
        ("100x20s,-5x20s", "segment 2, '-5x20s': allowed"),
        ("100x20s;400x60s", "segment 1, '100x20s;400x60s': allowed"),
        ("1e3x20s", "segment 1, '1e3x20s': allowed"),
        ("2000000x20s", "segment 1, '2000000x20s': rates from 0 to 1000000, not 2e+06"),
        ("100x0s", "segment 1, '100x0s': a segment of 1ms to 86400s, not 0s"),
        ("100+-150/60sx60s", "segment 1, '100+-150/60sx60s': a swing of at most the mean, 100, not 150"),
        ("100+-50/0sx60s", "segment 1, '100+-50/0sx60s': a period of 1ms to 86400s, not 0s"),
        ("600000+-500000/1sx9s", "rates from 0 to 1000000, not 1.1e+06"),
        ("1x1000m,1x1000m", "a profile of 1ms to 86400s, not 120000s"),
        (",".join(["1x1s", "2x1s"] * MOST_SEGMENTS), f"1 to {MOST_SEGMENTS} segments, not {2 * MOST_SEGMENTS}"),
    ],
)
def test_a_mistake_is_one_line_with_the_segment_and_what_is_allowed(typed, said):
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        profiles.parse(typed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("100x20s,400x60s", {0: 0, 10: 1_000, 20: 2_000, 50: 14_000, 80: 26_000, 81: 26_400}),
        ("0-400x60s", {30: 3_000, 60: 12_000, 61: 12_400}),
        ("400-0x60s", {30: 9_000, 60: 12_000, 90: 12_000}),
        ("200+-150/60sx60s", {15: 3_000 + 150 * 60 / 6.283185307, 30: 6_000 + 300 * 60 / 6.283185307, 60: 12_000}),
    ],
)
def test_requests_asked_for_are_the_integral_of_the_rate_and_the_last_rate_holds(text, counts):
    profile = profiles.parse(text)
    for at_s, count in counts.items():
        assert profile.count(at_s) == pytest.approx(count, rel=1e-9), at_s
    assert profile.mean(60) == pytest.approx(profile.count(60) / 60)


def test_an_even_rate_has_the_slots_of_a_rate_that_never_changes():
    assert due("250x2s", 3) == pytest.approx([slot / 250 for slot in range(750)], abs=1e-9)


def test_no_slot_is_lost_or_doubled_where_the_rate_changes():
    found = due("100x2s,400x3s,0x1s,30x1s", 7)
    seconds = [sum(second <= at < second + 1 for at in found) for second in range(7)]
    assert seconds == [100, 100, 400, 400, 400, 0, 30]
    # The first of each second is due when that begins, also after the rest.
    assert [min(at for at in found if at >= second) for second in (1, 2, 3, 4, 6)] == pytest.approx([1, 2, 3, 4, 6])


def test_a_last_rate_of_nothing_leaves_the_rest_for_never():
    moments = profiles.parse("10x1s,0x1s").times(itertools.count())
    assert list(itertools.islice(moments, 10)) == pytest.approx([n / 10 for n in range(10)])
    assert list(itertools.islice(moments, 3)) == [float("inf")] * 3


def test_what_comes_before_it_comes_at_its_first_rate():
    assert list(profiles.parse("50-100x1s").times([-10, -1, 0])) == pytest.approx([-0.2, -0.02, 0])


SEGMENTS = st.one_of(
    st.builds(Ramp, st.integers(0, 500), st.integers(0, 500), st.sampled_from([0.001, 0.3, 1.0, 4.7])),
    st.builds(
        lambda mean, share, period, length: Sine(mean, mean * share, period, length),
        st.integers(1, 500),
        st.sampled_from([0, 0.5, 1]),
        st.sampled_from([0.05, 1.0, 7.0]),
        st.sampled_from([0.3, 1.0, 4.7]),
    ),
)


@settings(max_examples=200, deadline=None)
@given(segments=st.lists(SEGMENTS, min_size=1, max_size=5), shift=st.floats(0, 1))
def test_every_request_is_due_when_the_integral_has_come_to_its_number(segments, shift):
    """Of any segments in a row, and for counts that are no whole numbers, as random arrivals have."""
    profile = Profile(tuple(segments))
    until_s = profile.length_s + 0.5
    counts = [shift + number for number in range(int(profile.count(until_s)) + 2)]
    moments = list(profile.times(counts))
    assert moments == sorted(moments)
    for count, at in zip(counts, moments, strict=True):
        if at < until_s:
            assert profile.count(at) == pytest.approx(count, abs=2e-4)
    inside = sum(at < until_s for at in moments)
    assert abs(inside - (profile.count(until_s) - shift)) <= 1
    assert profiles.parse(profile.text).count(until_s) == pytest.approx(profile.count(until_s), abs=0.01)


def test_a_recorded_list_has_neighbours_of_one_rate_as_one():
    found = profiles.steps([5, 5, 7, 5], [1, 1, 1, 2])
    assert Profile(tuple(found)).text == "5x2s,7x1s,5x2s"
