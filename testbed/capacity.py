"""The search for a server's capacity: the highest open-loop rate that holds a service level objective. Pure.

Bisection on the logarithm of the rate, since capacities of models and limits differ by orders of magnitude. A single
measurement is noisy, so neither bound is believed on one result: the rate that is reported has held `CONFIRMATIONS`
times in a row, the rate above it has failed as often, and a bound that is contradicted is given up, upwards as well as
downwards. Hence bad trials, even the first ones, cannot hold the search down at zero.
"""

from dataclasses import dataclass, field

FIRST_RATE_RPS = 100.0
LEAST_RATE_RPS = 1.0
MOST_RATE_RPS = 200_000.0
# While no bound is known: four-fold steps reach any capacity from 1 to 200,000 requests/s in at most five.
STRIDE = 4.0
# Closer than the trial-to-trial noise of these servers there is nothing to find.
PRECISION = 1.08
CONFIRMATIONS = 2
# Bounds the time of a search that noise keeps from ending; then the interval it has come to is reported.
MOST_STEPS = 30


@dataclass(frozen=True)
class Capacity:
    """What a search has found. `rate_rps` 0 means that not even the least rate holds. None for a bound never found."""

    rate_rps: float
    fails_at_rps: float | None
    steps: int
    confirmed: bool


@dataclass
class Search:
    """Ask `next_rate()`, measure, tell `record()`; when `next_rate()` is None, `found()` is the answer."""

    first_rps: float = FIRST_RATE_RPS
    steps: int = 0
    _held: dict[float, int] = field(default_factory=dict)
    _failed: dict[float, int] = field(default_factory=dict)

    def record(self, rate_rps: float, holds: bool) -> None:
        """The objective held, or not, at this rate. What contradicts earlier results replaces them."""
        self.steps += 1
        if holds:
            self._held[rate_rps] = self._held.get(rate_rps, 0) + 1
            # Once a failure has proved wrong, others that were seen only once are no better.
            least = CONFIRMATIONS if rate_rps in self._failed else 0
            self._failed = {rate: n for rate, n in self._failed.items() if rate > rate_rps and n >= least}
        else:
            self._failed[rate_rps] = self._failed.get(rate_rps, 0) + 1
            self._held = {rate: n for rate, n in self._held.items() if rate < rate_rps}

    @property
    def _low(self) -> float | None:
        return max(self._held, default=None)

    @property
    def _high(self) -> float | None:
        return min(self._failed, default=None)

    def next_rate(self) -> float | None:
        """The rate to measure next, requests per second; None when the search is over."""
        low, high = self._low, self._high
        if self.steps >= MOST_STEPS:
            return None
        if low is None and high is None:
            return self.first_rps
        if low is None:
            assert high is not None
            if high > LEAST_RATE_RPS:
                return max(LEAST_RATE_RPS, high / STRIDE)
            return None if self._failed[high] >= CONFIRMATIONS else high
        if high is None:
            if low < MOST_RATE_RPS:
                return min(MOST_RATE_RPS, low * STRIDE)
            return None if self._held[low] >= CONFIRMATIONS else low
        if high / low > PRECISION:
            return float(f"{(low * high) ** 0.5:.4g}")
        if self._held[low] < CONFIRMATIONS:
            return low
        return None if self._failed[high] >= CONFIRMATIONS else high

    def found(self) -> Capacity:
        """The answer so far."""
        low, high = self._low, self._high
        confirmed = self.next_rate() is None and self.steps < MOST_STEPS
        return Capacity(low or 0.0, high, self.steps, confirmed)
