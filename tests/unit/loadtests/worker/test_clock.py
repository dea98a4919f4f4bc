"""What a worker makes of what the master says the time is."""

import pytest

from loadtests.worker.clock import Ahead, look


@pytest.mark.parametrize(
    ("asked", "said", "heard", "ahead", "uncertain", "applied"),
    [
        (100.0, 100.001, 100.004, -0.001, 0.002, 0.0),
        (100.0, 105.0, 100.004, 4.998, 0.002, 4.998),
        (100.0, 95.0, 100.002, -5.001, 0.001, -5.001),
        (100.0, 100.0, 100.0, 0.0, 0.0, 0.0),
    ],
    ids=["the same clock, for all one can tell", "ahead", "behind", "the very moment"],
)
def test_an_answer_is_as_certain_as_it_was_fast(
    asked: float, said: float, heard: float, ahead: float, uncertain: float, applied: float
) -> None:
    found = look(asked, said, heard)
    assert (found.ahead_s, found.uncertain_s) == (pytest.approx(ahead), pytest.approx(uncertain))
    assert found.applied_s == pytest.approx(applied)


def test_its_figures_are_to_the_microsecond() -> None:
    assert Ahead(1.23456789, 0.00098765).as_json() == {
        "ahead_s": 1.234568,
        "uncertain_s": 0.000988,
        "applied_s": 1.234568,
    }
