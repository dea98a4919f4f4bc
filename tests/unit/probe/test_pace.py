"""A measurement is made as often as asked for, unless it would cost more than its share."""

import pytest

from probe.pace import Pace


def test_a_cheap_measurement_keeps_its_interval() -> None:
    pace = Pace(0.25, 0.01)
    assert pace.is_due(1000.0)
    pace.made(1000.0, 0.001)
    assert not pace.is_due(1000.24)
    assert pace.is_due(1000.25)


def test_one_that_is_late_does_not_make_all_later_ones_late() -> None:
    pace = Pace(0.25, 1.0)
    pace.made(1000.0, 0.0)
    pace.made(1000.35, 0.0)
    assert pace.due_unix == pytest.approx(1000.5)


def test_one_that_is_slowed_down_counts_from_the_last_that_was_made() -> None:
    pace = Pace(1.0, 1.0)
    pace.made(1000.0, 0.0)
    pace.slow_down(0.5)
    assert pace.due_unix == pytest.approx(1001.0)
    pace.slow_down(3.0)
    assert pace.due_unix == pytest.approx(1003.0)
    pace.made(1003.0, 0.0)
    assert (pace.due_unix, pace.longest_s) == pytest.approx((1006.0, 3.0))


def test_an_expensive_measurement_is_made_so_rarely_that_it_keeps_its_share() -> None:
    pace = Pace(1.0, 0.01)
    pace.made(1000.0, 0.05)
    assert pace.due_unix == pytest.approx(1005.0)
    assert pace.longest_s == pytest.approx(5.0)
    pace.made(1005.0, 0.001)
    assert pace.due_unix == pytest.approx(1006.0)
    assert pace.longest_s == pytest.approx(5.0)
