"""A rate that changes over the window: its notation, and when each of its requests is due. Pure.

`100x20s,100-400x60s,200+-150/60sx120s` is twenty seconds at 100 requests per second, a minute in which the rate goes
evenly from 100 to 400, and two minutes of a sine around 200, 150 up and down, with a period of a minute. After its end
a profile's last rate holds.

Requests are counted from the profile's beginning: number 0 is due there, number n when the rate's integral has come to
n. So an even rate gives even spacing, and no request is lost or doubled where the rate changes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

MOST_RATE = 1_000_000
MOST_SEGMENTS = 3_600
MOST_S = 86_400
NOTATION = "segments such as 100x20s, 100-400x60s or 200+-150/60sx120s (mean +- swing / period), with commas between"

_DECIMALS = 6
"""Of a rate, so that its text is short and says all of it."""
_AT_THE_EDGE = 1e-6
"""A request so near to the end of a segment is the next one's first: sums are not exact."""
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
        _check_length("a segment", self.length_s)

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
        _check_length("a period", self.period_s)
        _check_length("a segment", self.length_s)

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


@dataclass(frozen=True)
class Profile:
    """Segments one after the other; the last rate holds after them."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not 1 <= len(self.segments) <= MOST_SEGMENTS:
            raise ValueError(f"1 to {MOST_SEGMENTS} segments, not {len(self.segments)}")
        _check_length("a profile", self.length_s)

    @property
    def text(self) -> str:
        """The notation, of which `parse` makes the same profile again."""
        return ",".join(segment.text for segment in self.segments)

    @property
    def length_s(self) -> float:
        return self._begins[-1]

    @property
    def first_rate(self) -> float:
        return self.segments[0].rate_at(0.0)

    @property
    def last_rate(self) -> float:
        last = self.segments[-1]
        return max(0.0, last.rate_at(last.length_s))

    @property
    def highest(self) -> float:
        return max(segment.highest for segment in self.segments)

    @property
    def _begins(self) -> list[float]:
        """When each segment begins, and the end of the last."""
        # Whole microseconds, so that no rounding adds up.
        lengths = accumulate((round(segment.length_s * 1e6) for segment in self.segments), initial=0)
        return [us / 1e6 for us in lengths]

    def count(self, at_s: float) -> float:
        """Requests asked for by then."""
        total = 0.0
        for segment, begins in zip(self.segments, self._begins, strict=False):
            total += segment.count(min(segment.length_s, max(0.0, at_s - begins)))
        return total + self.last_rate * max(0.0, at_s - self.length_s)

    def mean(self, window_s: float) -> float:
        """Of the rate over a window that opens with it, requests per second."""
        return self.count(window_s) / window_s

    def times(self, counts: Iterable[float]) -> Iterator[float]:
        """When each of these requests is due, in seconds from the beginning; infinite for one that never will be.

        `counts` rise. Those below 0 come before it, at its first rate.
        """
        pieces = self._pieces()
        begins, starts, ends, time_of = next(pieces)
        first_rate, near = self.first_rate, 0.0
        for count in counts:
            if count < 0:
                yield count / first_rate if first_rate else -math.inf
                continue
            while count >= ends - _AT_THE_EDGE:
                (begins, starts, ends, time_of), near = next(pieces), 0.0
            near = max(near, time_of(max(0.0, count - starts), near))
            yield begins + near

    def _pieces(self) -> Iterator[tuple[float, float, float, Solver]]:
        """When each segment begins, the count there and at its end, and when it has asked for so many.

        After the last comes the rate that holds for ever.
        """
        starts = 0.0
        for segment, begins in zip(self.segments, self._begins, strict=False):
            ends = starts + segment.count(segment.length_s)
            yield begins, starts, ends, segment.solver()
            starts = ends
        rate = self.last_rate
        yield self.length_s, starts, math.inf, lambda count, _near: count / rate if rate else math.inf


@lru_cache(maxsize=64)
def parse(text: str) -> Profile:
    """Raises ValueError with what is wrong with which segment."""
    found = []
    for number, item in enumerate(text.split(","), 1):
        try:
            found.append(_segment(item.strip()))
        except ValueError as error:
            raise ValueError(f"segment {number}, {_shown(item.strip())}: {error}") from None
    return Profile(tuple(found))


def steps(rates: Sequence[float], lengths_s: Sequence[float]) -> list[Segment]:
    """A recorded list of rates as segments, neighbours of one rate as one. Raises ValueError."""
    found: list[Segment] = []
    for rate, length_s in zip(rates, lengths_s, strict=True):
        last = found[-1] if found else None
        if isinstance(last, Ramp) and last.last == rate:
            found[-1] = Ramp(rate, rate, round(last.length_s + length_s, 6))
        else:
            found.append(Ramp(rate, rate, length_s))
    return found


def _segment(item: str) -> Segment:
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


def _check_length(what: str, length_s: float) -> None:
    if not 0.001 <= length_s <= MOST_S:
        raise ValueError(f"{what} of 1ms to {MOST_S}s, not {length_s:g}s")


def _rate(rate: float) -> str:
    text = f"{rate:.{_DECIMALS}f}"
    return text.rstrip("0").rstrip(".")


def _length(length_s: float) -> str:
    us = round(length_s * 1e6)
    unit = next(unit for unit in ("s", "ms", "us") if us % _US_PER_UNIT[unit] == 0)
    return f"{us // _US_PER_UNIT[unit]}{unit}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
