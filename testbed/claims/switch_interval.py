"""Echoes beside one thread that computes, by how long that may keep the interpreter's lock."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import all_of, answered, at_least, chosen, each, level, series, within
from testbed.claims.selecting import least_squares
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/switch-interval.yaml"
# An echo wants the lock a few times: after it was received, and after it was sent.
RISES = (0.5, 4.0)
STRAIGHT = 0.9
# A slope that is none, for who has a lock of its own.
FLAT = (-0.1, 0.1)
UNIT = "ms for each ms"


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    xs, echoes = _echoes(rows, "spmt")
    ends, alone = _echoes(rows, "prefork")
    return all_of(
        within(level(each(lambda *ys: least_squares(xs, ys), *echoes), UNIT), *RISES, "p50 of the echoes, threads"),
        at_least(level(each(lambda *ys: _r2(xs, ys), *echoes), "of 1"), STRAIGHT, "R2 of that line"),
        within(level(each(lambda *ys: least_squares(ends, ys), *alone), UNIT), *FLAT, "the same, processes"),
    )


def _echoes(rows: Sequence[Row], model: str) -> tuple[list[float], list[dict[int, float]]]:
    """The intervals in milliseconds, and for each the p50 of the echoes in milliseconds by block."""
    of_model = chosen(rows, model=model)
    intervals = sorted({int(row["switch_interval_us"]) for row in of_model})
    found = [series(chosen(of_model, switch_interval_us=one), "echo_p50_us") for one in intervals]
    return [one / 1000 for one in intervals], [{block: us / 1000 for block, us in one.items()} for one in found]


def _r2(xs: Sequence[float], ys: Sequence[float]) -> float:
    """How much of what differs the line tells; 0 where nothing differs."""
    slope, x_mean, y_mean = least_squares(xs, ys), sum(xs) / len(xs), sum(ys) / len(ys)
    every = sum((y - y_mean) ** 2 for y in ys)
    left = sum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in zip(xs, ys, strict=True))
    return 1 - left / every if every else 0.0


CLAIM = Claim(
    name="switch-interval",
    statement="A thread that computes makes every other thread of its interpreter wait for the switch interval, where "
    "a process of its own does not.",
    source="Beazley: Understanding the Python GIL (PyCon 2010); Python documentation: sys.setswitchinterval",
    link="https://docs.python.org/3/library/sys.html#sys.setswitchinterval",
    question="what suits work that computes",
    sweep=SWEEP,
    predicate="Of two users one always has a request under way that computes, and the p50 is that of the other's bare "
    "echoes, at switch intervals of 0.5, 1, 5 and 20 ms: holds where in threads (spmt) it rises by 0.5 to 4 ms for "
    "each ms of the interval, by least squares, with R2 at least 0.9, and in processes (prefork, at 0.5 and 20 ms), of "
    "which each has a processor, by -0.1 to 0.1; does not hold where the interval of one of the three is wholly "
    "outside.",
    decide=_decide,
    processors=3,
    quick=quick(SWEEP),
)
