"""Work that is asked for in time becomes the units of the target that is to do it."""

import re

import pytest

from loadtests import fields
from loadtests.field import OptionError
from loadtests.master import calibrate


def wanted(**found):
    return fields.parse({"target": "spst", **found}, ["spst"])


class Target:
    """Answers when `units_per_us` says that it has done its work, after what any echo takes."""

    def __init__(self, units_per_us, echo_s=0.0003):
        self.units_per_us = units_per_us
        self.echo_s = echo_s
        self.asked = []

    def __call__(self, word):
        self.asked.append(word)
        name, _, amount = word.partition(b"=")
        return self.echo_s + (int(amount) / self.units_per_us[name] / 1e6 if amount else 0.0)


@pytest.mark.parametrize("speed", [0.01, 1.5, 40.0])
def test_a_time_becomes_the_units_that_the_target_does_in_it(speed):
    target = Target({b"spin": speed, b"hash": 2 * speed})
    found = calibrate.convert(wanted(spin_us=2_000, hash_us=300), target)
    assert found.spin_units == pytest.approx(2_000 * speed, rel=0.01)
    assert found.hash_rounds == pytest.approx(600 * speed, rel=0.01, abs=1)
    assert (found.spin_us, found.hash_us) == (2_000, 300)


def test_the_typical_request_counts_and_not_one_that_was_disturbed():
    target = Target({b"spin": 1.0})
    disturbed = iter([0.5, *[0.0] * 10] * 10)
    found = calibrate.convert(wanted(spin_us=500), lambda word: target(word) + next(disturbed))
    assert found.spin_units == pytest.approx(500, rel=0.01)


def test_units_that_are_given_are_left_alone_and_nothing_is_asked():
    target = Target({})
    assert calibrate.convert(wanted(spin_units=70, hash_rounds=3), target) == wanted(spin_units=70, hash_rounds=3)
    assert target.asked == []


def test_more_than_the_target_accepts_in_a_request_is_refused_with_what_it_does():
    most_us = fields.MOST_UNITS // 100
    with pytest.raises(OptionError) as refused:
        calibrate.convert(wanted(spin_us=2 * most_us), Target({b"spin": 100.0}))
    found = re.fullmatch(rf"spin_us: at most (\d+) on this target, not {2 * most_us}", str(refused.value))
    assert found is not None
    assert int(found[1]) == pytest.approx(most_us, rel=0.01)


def test_a_time_and_units_at_once_are_refused():
    with pytest.raises(OptionError, match="spin_us: 0 where spin_units is given, not 5"):
        calibrate.check(wanted(spin_us=5, spin_units=7))
