"""The search for a server's capacity: the highest open-loop rate that holds a service level objective. Pure.

Bisection on the logarithm of the rate, since capacities of models and limits differ by orders of magnitude. A single
measurement is noisy, so neither bound is believed on one result: the rate that is reported has held `CONFIRMATIONS`
times in a row, the rate above it has failed as often, and a bound that is contradicted is given up, upwards as well as
downwards. Hence bad trials, even the first ones, cannot hold the search down at zero.

An invalid trial is no result at all: its rate is tried again, and a search that meets too many of them has no answer.
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
# Replies per request due: below this a rate counts as not sustained; see vegeta's and k6's documentation.
SUSTAINED = 0.98
# Bounds the time of a search that noise keeps from ending; then the interval it has come to is reported.
MOST_STEPS = 30
# Two in a row happen by chance, as when a connection table was full; three say that this rate cannot be measured.
MOST_INVALID_IN_A_ROW = 3
MOST_INVALID = 10


@dataclass(frozen=True)
class Capacity:
    """What a search has found. `rate_rps` 0 means that not even the least rate holds; None that there is no answer, as
    `reason` says. `fails_at_rps` is None for a bound never found.
    """

    rate_rps: float | None
    fails_at_rps: float | None
    steps: int
    """Trials that gave a result."""
    confirmed: bool
    invalid: int = 0
    """Trials that gave none."""
    reason: str = ""

    @property
    def answered(self) -> bool:
        return self.rate_rps is not None


@dataclass
class Search:
    """Ask `next_rate()`, measure, tell `record()`; when `next_rate()` is None, `found()` is the answer."""

    first_rps: float = FIRST_RATE_RPS
    steps: int = 0
    _held: dict[float, int] = field(default_factory=dict)
    _failed: dict[float, int] = field(default_factory=dict)
    invalid: int = 0
    _in_a_row: int = 0
    _last_invalid: str = ""

    def record_invalid(self, rate_rps: float, reason: str) -> None:
        """The trial at this rate gave no result. The rate is asked for again, unless there were too many of these."""
        self.invalid += 1
        self._in_a_row += 1
        self._last_invalid = f"at {rate_rps:g} requests/s: {reason}"

    def _given_up(self) -> str:
        """Why the search has no answer and will have none; empty where that is not so."""
        if self._in_a_row >= MOST_INVALID_IN_A_ROW:
            return f"{self._in_a_row} invalid trials in a row, the last {self._last_invalid}"
        if self.invalid >= MOST_INVALID:
            return f"{self.invalid} invalid trials, the last {self._last_invalid}"
        if self.steps >= MOST_STEPS and self._low is None:
            return f"no rate had held when the search had taken {self.steps} trials"
        return ""

    def record(self, rate_rps: float, holds: bool) -> None:
        """The objective held, or not, at this rate. What contradicts earlier results replaces them."""
        self.steps += 1
        self._in_a_row = 0
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
        if self.steps >= MOST_STEPS or self._given_up():
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
        """The answer: only that of a search that is over is one."""
        if reason := self._given_up():
            return Capacity(None, None, self.steps, confirmed=False, invalid=self.invalid, reason=reason)
        if self.next_rate() is not None:
            return Capacity(None, None, self.steps, confirmed=False, invalid=self.invalid, reason="interrupted")
        confirmed = self.steps < MOST_STEPS
        return Capacity(self._low or 0.0, self._high, self.steps, confirmed, self.invalid)
