"""The reports that `many_workers` weighs are those of a run at the rate that was asked for."""

import pytest

from benchmarks.many_workers import final_report


@pytest.mark.parametrize("rate", [400.0, 1000.0])
def test_a_final_report_is_of_the_rate_and_has_a_slice_for_every_second(rate: float) -> None:
    report = final_report(rate, 10.0)
    window = [piece for piece in report["slices"] if piece["in_window"]]
    assert len(window) == 10
    assert sum(piece["ok"] for piece in window) == pytest.approx(10 * rate, rel=0.1)


def test_it_is_the_same_each_time() -> None:
    assert final_report(400.0, 2.0) == final_report(400.0, 2.0)
