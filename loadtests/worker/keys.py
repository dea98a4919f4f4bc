"""Which keys requests ask for: all alike, or by Zipf's law: the n-th key is drawn 1/n^s as often as the first.

Keys are drawn a block at a time, which costs a fraction of drawing each by itself. A draw by Zipf's law takes one look
at a table, however many keys there are (Walker's alias method, as in M. D. Vose, A linear algorithm for generating
random numbers with a given distribution, IEEE Transactions on Software Engineering 17, 1991).
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import repeat

Draw = Callable[[], int]
Uniform = Callable[[], float]

_BLOCK = 64
"""Little beside the time of a request, so that drawing them holds up nobody."""


def draws(keys: int, zipf: float, seed: str) -> Iterator[int]:
    """Keys from 0 to `keys` - 1 without end; of the same seed the same ones. `zipf` 0: all alike.

    All that takes time is done when this returns, not with the first key.
    """
    uniform = random.Random(seed).random
    if not zipf or keys == 1:
        return _alike(keys, uniform)
    return _drawn(*_table(keys, zipf), uniform)


def _alike(keys: int, uniform: Uniform) -> Iterator[int]:
    while True:
        yield from [int(uniform() * keys) for _ in repeat(None, _BLOCK)]


def _drawn(below: array[float], other: array[int], uniform: Uniform) -> Iterator[int]:
    # A number is a column by its whole part, and by its rest the column's own key or the other one.
    keys = len(below)
    while True:
        columns = [uniform() * keys for _ in repeat(None, _BLOCK)]
        yield from [column if at < below[column := int(at)] else other[column] for at in columns]


@lru_cache(maxsize=2)
def _table(keys: int, zipf: float) -> tuple[array[float], array[int]]:
    """For each column where it ends being its own key's, counted from 0 for the first, and the other key in it."""
    weights = [n**-zipf for n in range(1, keys + 1)]
    scale = keys / sum(weights)
    shares = array("d", (weight * scale for weight in weights))
    below, other = array("d", range(1, keys + 1)), array("l", range(keys))
    # Shares only fall from key to key, so the first ones are the large ones.
    large, small = 0, keys - 1
    waiting: list[int] = []
    while small > large:
        if waiting:
            poor = waiting.pop()
        elif shares[small] < 1:
            poor, small = small, small - 1
        else:
            break
        below[poor], other[poor] = poor + shares[poor], large
        shares[large] -= 1 - shares[poor]
        if shares[large] < 1:
            waiting.append(large)
            large += 1
    return below, other
