"""Sums and maxima of what may not be known. Pure.

None is "not known". A sum with one part unknown is not known either: a part of a number is not a measurement.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

Number = TypeVar("Number", int, float)


def total(values: Iterable[Number | None]) -> Number | None:
    """Their sum; None with one of them unknown, or without any."""
    return _over(sum, values)


def most(values: Iterable[Number | None]) -> Number | None:
    """The greatest of them; None with one of them unknown, or without any."""
    return _over(max, values)


def _over(join: Callable[[Sequence[Number]], Number], values: Iterable[Number | None]) -> Number | None:
    every = list(values)
    known = [value for value in every if value is not None]
    return join(known) if known and len(known) == len(every) else None
