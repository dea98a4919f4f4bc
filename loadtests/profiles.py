"""A rate that changes over the window: its notation, and when each of its requests is due. Pure.

`100x20s,100-400x60s,200+-150/60sx120s` is twenty seconds at 100 requests per second, a minute in which the rate goes
evenly from 100 to 400, and two minutes of a sine around 200, 150 up and down, with a period of a minute. After its end
a profile's last rate holds.

Requests are counted from the profile's beginning: number 0 is due there, number n when the rate's integral has come to
n. So an even rate gives even spacing, and no request is lost or doubled where the rate changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from loadtests import segments
from loadtests.segments import Ramp, Segment, Solver, check_length

MOST_SEGMENTS = 3_600

_AT_THE_EDGE = 1e-6
"""A request so near to the end of a segment is the next one's first: sums are not exact."""


@dataclass(frozen=True)
class Profile:
    """Segments one after the other; the last rate holds after them."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not 1 <= len(self.segments) <= MOST_SEGMENTS:
            raise ValueError(f"1 to {MOST_SEGMENTS} segments, not {len(self.segments)}")
        check_length("a profile", self.length_s)

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
            found.append(segments.read(item.strip()))
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


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
