"""What is expected of the load, as a factor of what it is now. Pure.

Holt-Winters is that of statsmodels (`ExponentialSmoothing`, additive trend and season), as in Predictive Horizontal Pod
Autoscaler. It takes seconds to import: `prepare` does that before anything is measured.
"""

import math
import statistics
import warnings
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from testbed.plan.scaling import Forecast
from testbed.scaling.policy import Growth

# A line through fewer says more of the noise than of the load.
LEAST_OF_A_LINE = 4


def prepare(forecast: Forecast | None) -> None:
    """Import what this forecast takes, which is seconds of a processor's time."""
    if forecast is not None and forecast.method == "holt-winters":
        _smoothing()


@cache
def _smoothing() -> Any:
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    return ExponentialSmoothing


def needed(forecast: Forecast, spacing_s: float) -> int:
    """How many loads have to be known before there is a forecast."""
    if forecast.season_us:
        return 2 * round(forecast.season_us / 1e6 / spacing_s)
    return max(LEAST_OF_A_LINE, _steps(forecast, spacing_s) + 1)


def _steps(forecast: Forecast, spacing_s: float) -> int:
    return max(1, math.ceil(forecast.ahead_us / 1e6 / spacing_s - 1e-9))


def growth(forecast: Forecast, loads: Sequence[float | None], spacing_s: float) -> Growth:
    """The most that the load is expected to be until `ahead`, as a factor of the last one.

    `loads`: requests per second or any other measure of it, one every `spacing_s`, the last one now; None where it is
    not known. A gap between two that are known is taken for a straight line.
    """
    known = _without_gaps(loads)
    least = needed(forecast, spacing_s)
    if len(known) < least:
        return Growth(None, f"{len(known) * spacing_s:g} s of the load are known, {least * spacing_s:g} s are needed")
    if loads[-1] is None or known[-1] <= 0:
        return Growth(None, "the load of now is not known" if loads[-1] is None else "there is no load now")
    ahead = _steps(forecast, spacing_s)
    if forecast.method == "linear":
        expected = _line(known[-least:], ahead)
    else:
        expected = _seasons(known, round((forecast.season_us or 0) / 1e6 / spacing_s), ahead)
    factor = max(0.0, *expected) / known[-1]
    if not math.isfinite(factor):
        return Growth(None, f"{forecast.method} came to no number")
    return Growth(factor, f"{forecast.method}: {factor:.2f} times in {forecast.ahead_us / 1e6:g} s")


def _without_gaps(loads: Sequence[float | None]) -> list[float]:
    """From the first that is known to the last, gaps filled by straight lines."""
    known = [(place, load) for place, load in enumerate(loads) if load is not None]
    filled = [load for _, load in known[:1]]
    for (here, low), (there, high) in pairwise(known):
        filled += [low + (high - low) * step / (there - here) for step in range(1, there - here + 1)]
    return filled


def _line(loads: Sequence[float], ahead: int) -> list[float]:
    """The next so many of the least-squares line."""
    slope, intercept = statistics.linear_regression(range(len(loads)), loads)
    return [intercept + slope * (len(loads) - 1 + step) for step in range(1, ahead + 1)]


def _seasons(loads: Sequence[float], period: int, ahead: int) -> list[float]:
    smoothing = _smoothing()
    with warnings.catch_warnings():
        # That the optimum was not found to the last digit changes no number of replicas.
        warnings.simplefilter("ignore")
        model = smoothing(
            loads, trend="add", seasonal="add", seasonal_periods=period, initialization_method="heuristic"
        )
        # A search of the grid before it takes three times as long and finds the same.
        fitted = model.fit(use_brute=False)
    return [float(load) for load in fitted.forecast(ahead)]
