"""When the requests of an open loop are meant to start, and what became of those moments.

Nothing here reads a clock or a random source of its own: schedules are sequences of times, and times are told.
A slot is one intended start. Slots are claimed in order and none is ever skipped: one that finds every user busy is
claimed late, and its delay is part of its latency (as in wrk2, https://github.com/giltene/wrk2).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator

from loadtests.profiles import Profile

_NOT_EXACT = 1e-6
"""Of a slot's number: a product of floats may lie this far beside the whole number that is meant."""


def constant(begins_at: float, rate: float, worker: int, workers: int) -> Iterator[float]:
    """One worker's share of a steady rate (requests per second over all workers).

    The slots of all workers together are evenly spaced: worker 1 of 2 has the odd ones. Each is computed from its
    number, so that no rounding adds up.
    """
    for slot in itertools.count(worker, workers):
        yield begins_at + slot / rate


def poisson(begins_at: float, rate: float, worker: int, workers: int, seed: int) -> Iterator[float]:
    """One worker's share of a Poisson process: independent ones with a share of the rate each add up to it."""
    draw = _draw(worker, workers, seed)
    share = rate / workers
    at = begins_at
    while True:
        at += draw(share)
        yield at


def arrivals(kind: str, begins_at: float, rate: float, worker: int, workers: int, seed: int) -> Iterator[float]:
    """The rising intended starts of one worker, without end; `kind` is constant or poisson."""
    if kind == "poisson":
        return poisson(begins_at, rate, worker, workers, seed)
    return constant(begins_at, rate, worker, workers)


def changing(
    kind: str, profile: Profile, begins_at: float, opens_at: float, worker: int, workers: int, seed: int
) -> Iterator[float]:
    """The same of a rate that changes from the opening of the window on, and stands at its first until then.

    Slots are numbered from the opening, where number 0 is due, so those of the warm-up have numbers below it. Constant
    arrivals are due when the integral of the rate has come to their number. Those of Poisson are such of a rate of 1
    on the axis of that integral (time change: Devroye, Non-Uniform Random Variate Generation, 1986, VI.1.3).
    Infinite for slots that will never be due, at a last rate of 0.
    """
    warmup = profile.first_rate * max(0.0, opens_at - begins_at)
    counts = _random_counts(-warmup, worker, workers, seed) if kind == "poisson" else _counts(-warmup, worker, workers)
    return (opens_at + at for at in profile.times(counts))


def _counts(first: float, worker: int, workers: int) -> Iterator[int]:
    """The worker's slots from this number on: those that divided by the number of workers leave its own."""
    least = math.ceil(first - _NOT_EXACT)
    return itertools.count(least + (worker - least) % workers, workers)


def _random_counts(first: float, worker: int, workers: int, seed: int) -> Iterator[float]:
    draw = _draw(worker, workers, seed)
    at = first
    while True:
        at += draw(1 / workers)
        yield at


def _draw(worker: int, workers: int, seed: int) -> Callable[[float], float]:
    return random.Random(f"{seed}/{worker}/{workers}").expovariate


class SlotCounts:
    """Slots that were offered and missed, by second from the opening of the window and side of its closing.

    Offered: its intended start lies there. Missed: not sent by the closing of the window, or for a slot of after the
    closing, never sent.
    """

    def __init__(self, opens_at: float, closes_at: float) -> None:
        self._opens_at = opens_at
        self._closes_at = closes_at
        self._counts: dict[tuple[int, bool], list[int]] = {}
        self._count: list[int] = [0, 0]
        self._from = self._until = math.inf

    def sent(self, due: float, now: float) -> None:
        """The slot of `due` was sent at `now`."""
        if not self._from <= due < self._until:
            self._turn(due)
        self._count[0] += 1
        if now >= self._closes_at > due:
            self._count[1] += 1

    def unsent(self, dues: Iterable[float]) -> None:
        """The run is over and these slots were never sent."""
        for due in dues:
            if not self._from <= due < self._until:
                self._turn(due)
            self._count[0] += 1
            self._count[1] += 1

    def _turn(self, due: float) -> None:
        """Go to the second of `due`; slots come in order, so this is seldom."""
        second = math.floor(due - self._opens_at)
        is_after = due >= self._closes_at
        self._from = max(self._opens_at + second, self._closes_at if is_after else -math.inf)
        self._until = min(self._opens_at + second + 1, math.inf if is_after else self._closes_at)
        self._count = self._counts.setdefault((second, is_after), [0, 0])

    def to_wire(self) -> list[list[int]]:
        """[second, 1 if after the closing, offered, missed], rising."""
        return [
            [second, int(is_after), offered, missed]
            for (second, is_after), (offered, missed) in sorted(self._counts.items())
        ]
