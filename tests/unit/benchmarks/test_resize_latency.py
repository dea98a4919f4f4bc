"""When a new limit shows, in counters made up for it."""

import pytest

from benchmarks.resize_latency import SAMPLE_S, Sample, shown_s


def counters(changes_at_s: float, before: float, after: float, until_s: float = 2.0) -> list[Sample]:
    """Of a process that gets so many CPUs before a moment, and so many after it."""
    times = [SAMPLE_S * place for place in range(round(until_s / SAMPLE_S))]
    return [(at, round(1e6 * (before * min(at, changes_at_s) + after * max(0.0, at - changes_at_s)))) for at in times]


@pytest.mark.parametrize(("before", "after", "up"), [(0.2, 0.8, True), (0.8, 0.2, False)])
def test_it_shows_once_half_a_period_has_it(before: float, after: float, up: bool) -> None:
    found = shown_s(counters(1.0, before, after), 0.5, 0.5, up)
    assert found == pytest.approx(0.5 + 0.05, abs=SAMPLE_S + 1e-9)


def test_what_was_so_before_the_command_does_not_count() -> None:
    """The other way round first: a burst that ended before it."""
    assert shown_s(counters(0.4, 0.8, 0.2), 1.0, 0.5, up=True) is None


def test_what_never_shows_has_no_time() -> None:
    assert shown_s(counters(9.0, 0.2, 0.8), 0.5, 0.5, up=True) is None
