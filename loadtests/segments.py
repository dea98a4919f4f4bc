"""One stretch of a profile: its notation, its rate, and when each of its requests is due. Pure.

`100x20s` is a step, `100-400x60s` a ramp, `200+-150/60sx120s` a sine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MOST_RATE = 1_000_000
MOST_S = 86_400
NOTATION = "segments such as 100x20s, 100-400x60s or 200+-150/60sx120s (mean +- swing / period), with commas between"

_DECIMALS = 6
"""Of a rate, so that its text is short and says all of it."""
_CLOSE_S = 1e-7
"""Newton's next step would be far below a nanosecond."""
_MOST_STEPS = 60

_US_PER_UNIT = {"m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_NUMBER = r"(\d+(?:\.\d+)?)"
_LENGTH = rf"{_NUMBER}(us|ms|s|m)"
_RAMP = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?x{_LENGTH}")
_SINE = re.compile(rf"{_NUMBER}\+-{_NUMBER}/{_LENGTH}x{_LENGTH}")


Solver = Callable[[float, float], float]
"""A function, with what it needs bound to it: it is called for every request."""


class Segment(Protocol):
    """A stretch of a profile. Seconds and counts are from its beginning, rates in requests per second."""

    @property
    def length_s(self) -> float: ...
    @property
    def text(self) -> str: ...
    @property
    def highest(self) -> float: ...
    def rate_at(self, at_s: float) -> float: ...
    def count(self, at_s: float) -> float:
        """How many requests it has asked for by then: the integral of the rate."""

    def solver(self) -> Solver:
        """Tells when it has asked for a count, given a moment at which it has asked for less."""


@dataclass(frozen=True)
class Ramp:
    """From one rate evenly to another; a step where the two are one."""

    first: float
    last: float
    length_s: float

    def __post_init__(self) -> None:
        """Raises ValueError."""
        _check_rates(self.first, self.last)
        check_length("a segment", self.length_s)

    @property
    def text(self) -> str:
        rates = _rate(self.first) if self.first == self.last else f"{_rate(self.first)}-{_rate(self.last)}"
        return f"{rates}x{_length(self.length_s)}"

    @property
    def highest(self) -> float:
        return max(self.first, self.last)

    @property
    def _slope(self) -> float:
        return (self.last - self.first) / self.length_s

    def rate_at(self, at_s: float) -> float:
        return self.first + self._slope * at_s

    def count(self, at_s: float) -> float:
        return self.first * at_s + self._slope * at_s * at_s / 2

    def solver(self) -> Solver:
        first, twice_slope, length_s = self.first, 2 * self._slope, self.length_s

        def of_step(count: float, near_s: float) -> float:
            return count / first if first else near_s

        def of_ramp(count: float, near_s: float) -> float:
            # The root of the quadratic in the form that loses no digits where the slope is small.
            below = first + math.sqrt(max(0.0, first * first + twice_slope * count))
            return min(length_s, 2 * count / below) if below else near_s

        return of_ramp if twice_slope else of_step


@dataclass(frozen=True)
class Sine:
    """mean + swing * sin(2 pi t / period): it begins at the mean, and rises."""

    mean: float
    swing: float
    period_s: float
    length_s: float

    def __post_init__(self) -> None:
        """Raises ValueError."""
        _check_rates(self.mean, self.swing)
        if self.swing > self.mean:
            raise ValueError(f"a swing of at most the mean, {_rate(self.mean)}, not {_rate(self.swing)}")
        _check_rates(self.mean + self.swing)
        check_length("a period", self.period_s)
        check_length("a segment", self.length_s)

    @property
    def text(self) -> str:
        around = f"{_rate(self.mean)}+-{_rate(self.swing)}"
        return f"{around}/{_length(self.period_s)}x{_length(self.length_s)}"

    @property
    def highest(self) -> float:
        return self.mean + self.swing

    def rate_at(self, at_s: float) -> float:
        return self.mean + self.swing * math.sin(math.tau * at_s / self.period_s)

    def count(self, at_s: float) -> float:
        turned = math.tau * at_s / self.period_s
        return self.mean * at_s + self.swing * self.period_s / math.tau * (1 - math.cos(turned))

    def solver(self) -> Solver:
        mean, swing, turn = self.mean, self.swing, math.tau / self.period_s
        amount, length_s, sin, cos = self.swing / turn, self.length_s, math.sin, math.cos

        def solve(count: float, near_s: float) -> float:
            """By Newton's method, and by halving where the rate is too near to zero for it."""
            low, high, at_s = near_s, length_s, near_s
            for _ in range(_MOST_STEPS):
                error = mean * at_s + amount * (1 - cos(turn * at_s)) - count
                rate = mean + swing * sin(turn * at_s)
                if error > 0:
                    high = at_s
                else:
                    low = at_s
                better = at_s - error / rate if rate > 0 else high
                if not low <= better <= high:
                    better = (low + high) / 2
                if -_CLOSE_S < better - at_s < _CLOSE_S:
                    return better
                at_s = better
            return at_s

        return solve


def read(item: str) -> Segment:
    """Of its notation. Raises ValueError."""
    if match := _RAMP.fullmatch(item):
        first, last, number, unit = match.groups()
        return Ramp(_read_rate(first), _read_rate(last or first), _read_length(number, unit))
    if match := _SINE.fullmatch(item):
        mean, swing, period, period_unit, number, unit = match.groups()
        length_s = _read_length(number, unit)
        return Sine(_read_rate(mean), _read_rate(swing), _read_length(period, period_unit), length_s)
    raise ValueError(f"allowed: {NOTATION}")


def _read_rate(number: str) -> float:
    return round(float(number), _DECIMALS)


def _read_length(number: str, unit: str) -> float:
    return round(float(number) * _US_PER_UNIT[unit]) / 1e6


def _check_rates(*rates: float) -> None:
    for rate in rates:
        if not 0 <= rate <= MOST_RATE:
            raise ValueError(f"rates from 0 to {MOST_RATE}, not {rate:g}")


def check_length(what: str, length_s: float) -> None:
    """Raises ValueError, which calls it `what`."""
    if not 0.001 <= length_s <= MOST_S:
        raise ValueError(f"{what} of 1ms to {MOST_S}s, not {length_s:g}s")


def _rate(rate: float) -> str:
    text = f"{rate:.{_DECIMALS}f}"
    return text.rstrip("0").rstrip(".")


def _length(length_s: float) -> str:
    us = round(length_s * 1e6)
    unit = next(unit for unit in ("s", "ms", "us") if us % _US_PER_UNIT[unit] == 0)
    return f"{us // _US_PER_UNIT[unit]}{unit}"
