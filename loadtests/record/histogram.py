"""A mergeable log-linear histogram of microseconds.

Values below 256 have a bucket each; above, every power of two is cut into 128 buckets, so a bucket is never wider than
1/128 of its lower edge. It is the layout of HdrHistogram (http://hdrhistogram.org) with 7 significant bits: two
histograms merge exactly, by adding counts, whereas averaging percentiles would give a number nobody measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SUB_BUCKET_BITS = 7
RELATIVE_ERROR = 1 / (1 << SUB_BUCKET_BITS)
"""Width of a bucket relative to its lower edge, at most."""

_EXACT_BITS = SUB_BUCKET_BITS + 1
_EXACT_VALUES = 1 << _EXACT_BITS
_SUB_BUCKETS = 1 << SUB_BUCKET_BITS


def bucket_of(value: int) -> int:
    """Index of the bucket that holds `value` (>= 0); indices rise with values."""
    shift = value.bit_length() - _EXACT_BITS
    return value if shift <= 0 else (shift << SUB_BUCKET_BITS) + (value >> shift)


def lower_edge(index: int) -> int:
    """Smallest value of a bucket; its first value above is `lower_edge(index + 1)`."""
    if index < _EXACT_VALUES:
        return index
    return ((index & (_SUB_BUCKETS - 1)) | _SUB_BUCKETS) << ((index >> SUB_BUCKET_BITS) - 1)


def representative(index: int) -> int:
    """The middle of a bucket, which halves the error of either edge."""
    lower = lower_edge(index)
    return lower + (lower_edge(index + 1) - lower) // 2


_BUCKETS: tuple[int, ...] = tuple(bucket_of(value) for value in range(1 << 16))
"""The bucket of every value below 65,536: looking it up costs a third of working it out."""


@dataclass(slots=True)
class Histogram:
    """Counts by bucket, with the exact sum, minimum and maximum beside them."""

    counts: dict[int, int] = field(default_factory=dict)
    total: int = 0
    minimum: int | None = None
    maximum: int | None = None

    def record(self, value: int) -> None:
        # Written out rather than calling bucket_of: this runs once per request.
        shift = value.bit_length() - 8
        index = value if shift <= 0 else (shift << 7) + (value >> shift)
        counts = self.counts
        counts[index] = counts.get(index, 0) + 1
        self.total += value
        if self.maximum is None or value > self.maximum:
            self.maximum = value
        if self.minimum is None or value < self.minimum:
            self.minimum = value

    def record_many(self, values: Sequence[int]) -> Counter[int]:
        """The same as recording each, at a fraction of the cost. Returns how many values went to which bucket."""
        if not values:
            return Counter()
        least, most = min(values), max(values)
        added = Counter(map(_BUCKETS.__getitem__ if most < len(_BUCKETS) else bucket_of, values))
        counts = self.counts
        for index, count in added.items():
            counts[index] = counts.get(index, 0) + count
        self.total += sum(values)
        if self.maximum is None or most > self.maximum:
            self.maximum = most
        if self.minimum is None or least < self.minimum:
            self.minimum = least
        return added

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts to this one."""
        for index, count in other.counts.items():
            self.counts[index] = self.counts.get(index, 0) + count
        self.total += other.total
        if other.minimum is not None:
            self.minimum = other.minimum if self.minimum is None else min(self.minimum, other.minimum)
        if other.maximum is not None:
            self.maximum = other.maximum if self.maximum is None else max(self.maximum, other.maximum)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        count = self.count
        return self.total / count if count else None

    def percentile(self, fraction: float) -> int | None:
        """Value at the nearest rank (0 < fraction <= 1): its bucket's middle, kept inside [minimum, maximum].

        None when nothing was recorded.
        """
        if not 0 < fraction <= 1:
            raise ValueError(f"a percentile is a fraction above 0 and at most 1, not {fraction}")
        if self.minimum is None or self.maximum is None:
            return None
        rank = math.ceil(fraction * self.count)
        seen = 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= rank:
                return min(max(representative(index), self.minimum), self.maximum)
        return self.maximum

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """(lower edge, upper edge, count), rising; the upper edge is not part of the bucket."""
        for index in sorted(self.counts):
            yield lower_edge(index), lower_edge(index + 1), self.counts[index]

    def to_wire(self) -> dict[str, Any]:
        """The sparse form a worker sends to the master."""
        return {"counts": dict(self.counts), "total": self.total, "min": self.minimum, "max": self.maximum}

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Histogram:
        return cls(
            counts={int(index): int(count) for index, count in wire["counts"].items()},
            total=int(wire["total"]),
            minimum=wire["min"],
            maximum=wire["max"],
        )
