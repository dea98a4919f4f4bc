"""The gate that asks whether a window was all alike. Pure."""

import math
from collections.abc import Sequence
from statistics import fmean, quantiles

from testbed.judge.evidence import Evidence, Thresholds
from testbed.judge.gates import Gate, decide, unknown


def steady_state(e: Evidence, t: Thresholds) -> Gate | None:
    """A halves test after pyperf's, with one limit both ways (see Thresholds), on throughput and median service time
    per second. None where rate, limits or replicas were to change.

    Its test of the median absolute deviation is left out: of 20 values that has an error of a quarter by itself, and
    pyperf goes on until a test passes, where a trial has one try. Counts of n replies in a half have an error of
    1/sqrt(n) by themselves; two standard errors of the difference come on top.
    """
    if e.transient:
        return None
    allowed = (
        f"halves of the window within {t.steady_mean_relative:.0%}, "
        f"quartiles within {t.steady_quartile_relative:.0%}, first second no outlier"
    )
    if e.slice_ok is None or e.slice_p50_us is None:
        return unknown("steady_state", "no counts per second", allowed)
    if len(e.slice_ok) < t.steady_least_slices:
        seconds = f"{len(e.slice_ok)} whole seconds, at least {t.steady_least_slices} are needed"
        return unknown("steady_state", seconds, allowed)
    noise = 2 * math.sqrt(4 / max(sum(e.slice_ok), 1))
    found = _unsteady("throughput", e.slice_ok, noise, t)
    medians = [value for value in e.slice_p50_us if value is not None]
    if not found and len(medians) == len(e.slice_ok):
        found = _unsteady("median service time", medians, noise, t)
    return decide("steady_state", not found, found or f"steady over {len(e.slice_ok)} s", allowed)


def _unsteady(what: str, values: Sequence[float], noise: float, t: Thresholds) -> str:
    half = len(values) // 2
    first, second = values[:half], values[-half:]
    if not (base := fmean(second)):
        return f"{what} fell to 0"
    drift = fmean(first) / base - 1
    if abs(drift) > t.steady_mean_relative + noise:
        return f"{what} of the first half is {abs(drift):.0%} {'above' if drift > 0 else 'below'} the second's"
    q1, _, q3 = quantiles(values[1:], method="inclusive")
    # An outlier within the allowed drift is none: the quartiles of values that hardly vary lie close together.
    reach = max(1.5 * (q3 - q1), (t.steady_mean_relative + noise) * base)
    if not q1 - reach <= values[0] <= q3 + reach:
        return f"{what} of the first second is {values[0]:.4g}, of the others {q1:.4g} to {q3:.4g}"
    if half >= t.steady_quartile_slices:
        for name, index in (("lower", 0), ("upper", 2)):
            a, b = (quantiles(part, method="inclusive")[index] for part in (first, second))
            if not b or abs(a / b - 1) > t.steady_quartile_relative + noise:
                return f"{what}: {name} quartile {a:.4g} in the first half, {b:.4g} in the second"
    return ""
