"""What cannot be scaled so is one line, before anything is changed."""

from typing import Any

import pytest

from testbed.errors import UserError
from testbed.plan.fields import Machine
from testbed.plan.scaling import Forecast, Law
from testbed.run.autoscaling import check_room, law_of
from testbed.stack.replicas_by_hand import Front, Replica

MACHINE = Machine(cpus=2, memory_bytes=2**30)
GIVEN: dict[str, Any] = {"change": "replicas", "on": "cpu", "target": 0.6, "max": 4}
HALF = Replica("1a", 1, "spmt-1", "10.0.0.1", 0.5, 2**27, is_healthy=True)


def test_flags_are_those_of_a_sweep_file() -> None:
    given = {**GIVEN, "every": "1s", "min": None, "down_after": "5s", "forecast": "linear", "ahead": "8s"}
    assert law_of(given, MACHINE) == Law(
        *("replicas", "cpu", 0.6, 1, 4),
        every_us=1_000_000,
        down_after_us=5_000_000,
        forecast=Forecast("linear", 8_000_000),
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on": "latency"}, "--on: found 'latency', allowed: cpu, memory or queue"),
        ({"target": 2}, "--target: found 2, allowed: a share of 1, such as 0.6, with on cpu"),
        ({"max": 9}, "--max: found 9, allowed: a whole number from 1 to 8"),
        ({"max": 1.5}, "--max: found 1.5, allowed: a whole number from 1 to "),
        ({"min": 5}, "--min: found 5, allowed: at most max, which is 4"),
        ({"change": "memory"}, "--change: found 'memory', allowed: replicas or cpus"),
        ({"change": "cpus", "on": "memory"}, "--on: found 'memory', allowed: cpu, queue"),
        ({"every": "soon"}, "--every: found 'soon', allowed: a duration from 500ms to 60m"),
        ({"down_after": "2h"}, "--down-after: found '2h', allowed: a duration from 0 to 60m"),
        ({"forecast": "linear"}, "--forecast: found 'linear', allowed: ahead as well: "),
        ({"season": "60s"}, "--season: found '60s', allowed: nothing without forecast"),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_flag(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        law_of({**GIVEN, **given}, MACHINE)
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("law", "front", "said"),
    [
        (
            Law("replicas", "cpu", 0.6, 1, 4),
            Front("f", "haproxy", 0.5, 8404),
            "--max: found 4, which is 4 x 0.5 CPUs and 0.5 for the front, 2.5 in all, allowed: at most the 2 CPUs",
        ),
        (Law("cpus", "cpu", 0.6, 0.1, 2.5), None, "--max: found 2.5, which is 1 x 2.5 CPUs, 2.5 in all"),
        (Law("replicas", "cpu", 0.6, 1, 2), Front("f", "nginx", 0.5, None), "--change: found replicas behind nginx"),
    ],
)
def test_what_has_no_room_or_would_not_be_found_is_refused(law: Law, front: Front | None, said: str) -> None:
    with pytest.raises(UserError) as error:
        check_room(law, [HALF], front, MACHINE)
    assert str(error.value).startswith(said)


def test_what_has_room_is_not_refused() -> None:
    check_room(Law("replicas", "cpu", 0.6, 1, 3), [HALF], Front("f", "haproxy", 0.5, 8404), MACHINE)
    check_room(Law("cpus", "cpu", 0.6, 0.1, 1.5), [HALF], Front("f", "nginx", 0.5, 8404), MACHINE)
