"""What is expected of a load: of lines and of seasons known beforehand; and nothing where too little is known."""

import math
import random
import subprocess
import sys

import pytest

from testbed.plan.scaling import Forecast
from testbed.scaling.forecast import growth, needed, prepare

LINEAR = Forecast("linear", 8_000_000)
SEASONAL = Forecast("holt-winters", 8_000_000, 60_000_000)
SPACING_S = 2.0
PERIOD = 30


def day(place: int) -> float:
    return 250 + 150 * math.sin(2 * math.pi * place / PERIOD)


def noisy(count: int, seed: int = 1) -> list[float]:
    numbers = random.Random(seed)
    return [day(place) + numbers.gauss(0, 5) for place in range(count)]


def test_a_line_goes_on() -> None:
    found = growth(LINEAR, [100 + 10 * place for place in range(10)], SPACING_S)
    assert found.factor == pytest.approx((190 + 40) / 190)
    assert found.reason == "linear: 1.21 times in 8 s"


def test_a_falling_line_is_expected_to_fall_and_not_below_nothing() -> None:
    found = growth(LINEAR, [100.0, 80.0, 60.0, 40.0, 20.0], SPACING_S)
    assert found.factor == 0.0


def test_a_line_is_of_the_last_readings_alone() -> None:
    before = [1_000.0] * 50
    assert growth(LINEAR, [*before, 10, 20, 30, 40, 50], SPACING_S).factor == pytest.approx(90 / 50)


def test_the_next_of_a_season_is_known_from_two_of_them() -> None:
    """Just before the rise the reactive law sees nothing of, and just before the peak is over."""
    for end in (2 * PERIOD + PERIOD // 4 * 3 + 2, 3 * PERIOD - 3, 4 * PERIOD + 2):
        found = growth(SEASONAL, noisy(end), SPACING_S)
        expected = max(day(end - 1 + step) for step in range(1, 5)) / noisy(end)[-1]
        assert found.factor == pytest.approx(expected, rel=0.15), end
        assert found.reason.startswith("holt-winters: ")


def test_a_season_tells_a_rise_that_a_line_does_not() -> None:
    """At its lowest the line of the last readings still falls."""
    lowest = noisy(3 * PERIOD - PERIOD // 4)
    line, season = growth(LINEAR, lowest, SPACING_S).factor, growth(SEASONAL, lowest, SPACING_S).factor
    assert line is not None
    assert season is not None
    assert season > line


@pytest.mark.parametrize(
    ("forecast", "loads", "reason"),
    [
        (LINEAR, [], "0 s of the load are known, 10 s are needed"),
        (LINEAR, [1.0, 2.0, 3.0], "6 s of the load are known, 10 s are needed"),
        (LINEAR, [None, None, 3.0, 4.0], "4 s of the load are known, 10 s are needed"),
        (LINEAR, [1.0, 2.0, 3.0, 4.0, 5.0, None], "the load of now is not known"),
        (LINEAR, [5.0, 4.0, 3.0, 2.0, 1.0, 0.0], "there is no load now"),
        (SEASONAL, [100.0] * 59, "118 s of the load are known, 120 s are needed"),
    ],
)
def test_what_is_not_known_is_said_and_not_guessed(forecast: Forecast, loads: list[float | None], reason: str) -> None:
    found = growth(forecast, loads, SPACING_S)
    assert (found.factor, found.reason) == (None, reason)


def test_a_gap_is_a_straight_line() -> None:
    whole: list[float | None] = [100.0 + 10 * place for place in range(10)]
    gaps = [None if place in (0, 6, 7) else load for place, load in enumerate(whole)]
    assert growth(LINEAR, gaps, SPACING_S) == growth(LINEAR, whole, SPACING_S)


def test_how_much_has_to_be_known() -> None:
    assert needed(SEASONAL, SPACING_S) == 60
    assert needed(LINEAR, SPACING_S) == 5
    assert needed(LINEAR, 30.0) == 4


def test_who_asks_for_no_season_does_not_pay_for_statsmodels() -> None:
    """It takes seconds to import."""
    looks = "import sys, testbed.scaling.forecast as f; f.prepare(None); sys.exit('statsmodels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", looks], check=False, timeout=60).returncode == 0
    prepare(SEASONAL)
    assert "statsmodels" in sys.modules
