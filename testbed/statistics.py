"""Medians, within-block ratios and their intervals, and what a sample is too small or too noisy to say. Pure.

The unit is the trial: a fresh container. Nothing here drops an outlier or takes the best of several.
SciPy is imported where it is used, and only its `special`: it takes longer to load than most commands take to run.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 9_999  # the default of scipy.stats.bootstrap: the interval's own error is then below 0.3 % of its width
FEWEST_BLOCKS = 3  # two values have one degree of freedom: Student's t is 12.7 there, an interval only in name

# Thresholds of pyperf's `check`, https://pyperf.readthedocs.io/en/latest/analyze.html
NOISY_CV = 0.10
FAR_FROM_MEAN = 0.50
# pyperf asks for 1 % of variation from its dozens of processes; a trial costs seconds, and 5 % is what gates allow too.
HALF_WIDTH = 0.05
MOST_REPEATS = 10_000  # a required number of repeats beyond this is not advice any more


@dataclass(frozen=True)
class Interval:
    """An estimate and where the truth lies with `confidence`. low and high are None where no interval can be given."""

    estimate: float
    low: float | None
    high: float | None
    confidence: float
    """What the interval can claim; less than asked for where the sample is too small for it, 0 without an interval."""
    count: int
    """Values, or pairs of values, that it rests on."""
    note: str = ""
    """Why there is no interval, or why it claims less than was asked for."""


Values = npt.NDArray[np.float64]


# A report asks for the same ratio in its figures, its ranking and its sentences.
@lru_cache(maxsize=4096)
def _bootstrap(
    values: tuple[float, ...], statistic: Callable[..., Values], confidence: float, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap (Efron 1979), with the draws of `scipy.stats.bootstrap`, which takes a second to import.
    The bias-corrected one is not defined for the median of few values."""
    sample = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(sample), (RESAMPLES, len(sample)))
    beyond = 100 * (1 - confidence) / 2
    low, high = np.percentile(statistic(sample[drawn], axis=-1), [beyond, 100 - beyond])
    return float(low), float(high)


@lru_cache(maxsize=4096)
def _student(freedom: float, confidence: float) -> float:
    """How many standard errors Student's interval reaches to each side."""
    from scipy import special

    return float(special.stdtrit(freedom, (1 + confidence) / 2))


@cache
def _student_of_all() -> Values:
    """The same for the means of 2 values to MOST_REPEATS."""
    from scipy import special

    reach: Values = special.stdtrit(np.arange(1, MOST_REPEATS), (1 + CONFIDENCE) / 2)
    return reach


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """The median with its bootstrap interval.

    Each value is above the median with probability 1/2, so even the whole range of n values holds it only with
    1 - 2^(1-n): 75 % for 3, 94 % for 5. The interval claims no more than that. ValueError without values.
    """
    if not values:
        raise ValueError("no values: a median needs at least one")
    sample = np.asarray(values, dtype=np.float64)
    estimate, count = float(np.median(sample)), len(values)
    if count < FEWEST_BLOCKS:
        return Interval(estimate, None, None, 0.0, count, _too_few(count))
    most = 1 - 2.0 ** (1 - count)
    if most >= confidence:
        low, high = _bootstrap(tuple(values), np.median, confidence, seed)
        # Interpolation may round to just outside of the sample.
        return Interval(estimate, max(low, min(values)), min(high, max(values)), confidence, count)
    note = f"{count} values: their whole range holds the median with {most:.0%} confidence, not {confidence:.0%}"
    return Interval(estimate, min(values), max(values), most, count, note)


def ratio_interval(
    a_by_block: Mapping[int, float], b_by_block: Mapping[int, float], confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """The geometric mean of a/b over the blocks that hold both, with its interval.

    Within a block both met the same state of the machine, so what drifts between blocks cancels. The interval is taken
    on the logarithms: the wider on each side of the bootstrap over blocks and Student's t. The bootstrap alone never
    leaves the range of the ratios and covers 74 % instead of 95 % with 3 blocks, 82 % with 5, 90 % with 10 (simulated,
    normal logarithms). Blocks without a pair, or with a value that has no logarithm, are left out and counted in the
    note. ValueError when no block has a pair.
    """
    blocks = sorted(a_by_block.keys() | b_by_block.keys())
    pairs = [(a_by_block.get(block, 0.0), b_by_block.get(block, 0.0)) for block in blocks]
    logs = np.array([math.log(a / b) for a, b in pairs if a > 0 and b > 0], dtype=np.float64)
    count = len(logs)
    if not count:
        raise ValueError("no block has a value of both: nothing to compare")
    left_out = len(blocks) - count
    note = f"{left_out} of {len(blocks)} blocks left out: no value of both" if left_out else ""
    mean = float(logs.mean())
    if count < FEWEST_BLOCKS:
        return Interval(math.exp(mean), None, None, 0.0, count, "; ".join(filter(None, [_too_few(count), note])))

    # On the differences from the mean, so that blocks that agree to the last bit give an interval without width.
    low, high = _bootstrap(tuple(logs - mean), np.mean, confidence, seed)
    half = _student(count - 1, confidence) * float(logs.std(ddof=1)) / math.sqrt(count)
    return Interval(
        math.exp(mean), math.exp(mean + min(low, -half)), math.exp(mean + max(high, half)), confidence, count, note
    )


def unpaired_ratio_interval(
    a_values: Sequence[float], b_values: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """The ratio of the geometric means a/b of two independent samples, with its interval.

    For values of two runs, which share no block. Welch's t on the logarithms, whose variances may differ. It covers 94
    to 96 % with 3 or 5 values each, also where one side varies three times as much; the bootstrap over both samples
    covers 76 to 88 % and never was the wider (simulated, normal logarithms). `count` is that of the smaller sample.
    Values without a logarithm are left out and counted in the note. ValueError when a side has none left.
    """
    a, b = (np.log([value for value in values if value > 0]) for values in (a_values, b_values))
    count = min(len(a), len(b))
    if not count:
        raise ValueError("one side has no value: nothing to compare")
    left_out = len(a_values) + len(b_values) - len(a) - len(b)
    note = f"{left_out} values left out: they have no logarithm" if left_out else ""
    difference = float(a.mean() - b.mean())
    if count < FEWEST_BLOCKS:
        few = f"no interval from {count} trial{'s' if count > 1 else ''} a side: at least {FEWEST_BLOCKS} are needed"
        return Interval(math.exp(difference), None, None, 0.0, count, "; ".join(filter(None, [few, note])))

    errors = [float(side.var(ddof=1)) / len(side) for side in (a, b)]
    half = 0.0
    if sum(errors):
        freedom = sum(errors) ** 2 / sum(error**2 / (len(side) - 1) for error, side in zip(errors, (a, b), strict=True))
        half = _student(freedom, confidence) * math.sqrt(sum(errors))
    return Interval(
        math.exp(difference), math.exp(difference - half), math.exp(difference + half), confidence, count, note
    )


def _too_few(count: int) -> str:
    return f"no interval from {count} block{'s' if count > 1 else ''}: at least {FEWEST_BLOCKS} are needed"


def compare_words(ratio: Interval, a: str, b: str) -> str:
    """One line that says what `ratio_interval` shows of a against b, and no more than it shows."""
    if ratio.low is None or ratio.high is None:
        return f"{a} / {b} = {ratio.estimate:.3g}; {ratio.note}; set `repeat: {FEWEST_BLOCKS}` or more"
    interval = f"{ratio.confidence:.0%} interval {ratio.low:.3g} to {ratio.high:.3g}, {ratio.count} blocks"
    note = f"; {ratio.note}" if ratio.note else ""
    if ratio.low <= 1 <= ratio.high:
        return f"no difference shown between {a} and {b} ({interval}{note})"
    return f"{a} / {b} = {ratio.estimate:.3g} ({interval}{note})"


def coefficient_of_variation(values: Sequence[float]) -> float | None:
    """Standard deviation (n - 1) over mean; None for fewer than two values or a mean of 0."""
    if len(values) < 2 or not (mean := statistics.fmean(values)):
        return None
    return statistics.stdev(values) / abs(mean)


def required_repeats(values: Sequence[float], half_width: float = HALF_WIDTH) -> int | None:
    """The least n for which Student's interval of the mean is within half_width of it, if values go on varying so.

    At most MOST_REPEATS; None where the variation is not known.
    """
    if (cv := coefficient_of_variation(values)) is None:
        return None
    wide = _student_of_all() * cv / np.sqrt(np.arange(2, MOST_REPEATS + 1)) > half_width
    # The half-width falls with every repeat, so the wide ones come first.
    return int(min(2 + wide.sum(), MOST_REPEATS))


def warnings(values: Sequence[float], what: str) -> tuple[str, ...]:
    """What makes repeats of one cell less trustworthy, as pyperf says it; each ends with what helps."""
    count = len(values)
    if count < FEWEST_BLOCKS:
        return (f"{what}: {_too_few(count)}; set `repeat: 5` or more",)
    found = []
    cv, mean = coefficient_of_variation(values), statistics.fmean(values)
    if cv is None:
        return ()
    if cv > NOISY_CV:
        found.append(
            f"{what}: the standard deviation is {cv:.0%} of the mean, above {NOISY_CV:.0%}; "
            "look for what else this machine does: `orchestrate.py doctor`"
        )
    for name, value in (("minimum", min(values)), ("maximum", max(values))):
        if abs(off := value / mean - 1) > FAR_FROM_MEAN:
            found.append(
                f"{what}: the {name} is {abs(off):.0%} {'above' if off > 0 else 'below'} the mean, more than "
                f"{FAR_FROM_MEAN:.0%}; measure longer: double `duration`"
            )
    needed = required_repeats(values)
    if needed is not None and needed > count:
        found.append(f"{what}: {count} repeats do not give the mean within {HALF_WIDTH:.0%}; set `repeat: {needed}`")
    return tuple(found)
