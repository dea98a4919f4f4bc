"""What a fault did, out of what the load has by the second, and of what the front was seen to eject."""

from typing import Any

import pytest

from testbed.results import fault_columns
from testbed.results.fault_columns import ejected, outage


def seconds(*ok: int, offered: int = 200, failed: tuple[int, ...] = (), in_flight: int = 0) -> list[dict[str, Any]]:
    """One slice a second, the first before the window."""
    of_each = (*failed, *[0] * (len(ok) - len(failed)))
    return [
        {
            "ok": count,
            "failed": of_each[place],
            "offered": offered,
            "in_flight": in_flight,
            "start_s": float(place - 1),
            "duration_s": 1.0,
            "in_window": place > 0,
        }
        for place, count in enumerate(ok)
    ]


def test_an_outage_lasts_to_the_end_of_the_last_second_in_which_more_than_1_percent_failed() -> None:
    slices = seconds(0, 200, 150, 100, 197, 200, failed=(200, 0, 50, 100, 3, 0))
    assert outage(slices, 1.25) == (2.75, True)
    # What went before the fault is not its doing.
    assert outage(slices, 3.5) == (0.5, True)
    assert outage(slices, 4.0) == (0.0, True)
    assert outage(seconds(0, 200, 198, failed=(0, 0, 2)), 1.0) == (0.0, True)


def test_one_that_lasts_until_the_window_closes_is_not_over() -> None:
    assert outage(seconds(0, 200, 0, 0, failed=(0, 0, 200, 200)), 1.0) == (2.0, False)


def test_a_second_is_not_served_at_whose_end_requests_wait_that_did_not_before() -> None:
    # A server that stands still for a second, and makes up for it.
    assert outage(seconds(0, 200, 4, 396, 200), 1.0) == (1.0, True)
    assert outage(seconds(0, 200, 134, 134, 332), 1.0) == (2.0, True)
    assert outage(seconds(0, 200, 0, 0), 1.0) == (2.0, False)
    # As many as are under way anyway.
    assert outage(seconds(0, 200, 195, 205), 1.0) == (0.0, True)
    assert outage(seconds(0, 200, 150, 250), 1.0) == (1.0, True)
    assert outage(seconds(0, 200, 150, 250, in_flight=50), 1.0) == (0.0, True)


@pytest.mark.parametrize("slices", [None, [], [{**seconds(0, 1)[1], "offered": None}]])
def test_without_seconds_nothing_is_known(slices: Any) -> None:
    assert outage(slices, 0.0) is None


def action(at_s: float) -> dict[str, Any]:
    return {"at_s": at_s, "what": "a-2"}


def change(at_s: float, out: bool, server: str = "a-2") -> dict[str, Any]:
    return {"at_s": at_s, "server": server, "is_ejected": out}


def test_the_time_to_an_ejection_and_back_is_that_of_the_server_that_fails() -> None:
    changes = [change(0.5, True), change(0.9, False), change(3.5, True, "a-1"), change(3.7, True), change(6.8, False)]
    changes += [change(7.1, True), change(11.3, False)]
    assert ejected([action(3.0), action(7.0)], changes) == {"ejected_after_s": 0.7, "back_after_s": 4.3}
    # Back before the fault was over, and not out again.
    assert ejected([action(3.0), action(7.0)], changes[:5])["back_after_s"] == 0.0


def test_what_never_came_is_empty() -> None:
    nothing = {"ejected_after_s": None, "back_after_s": None}
    assert ejected([action(3.0), action(7.0)], [change(4.0, True, "a-1")]) == nothing
    assert ejected([action(3.0), action(7.0)], [change(4.0, True)]) == {"ejected_after_s": 1.0, "back_after_s": None}
    assert ejected([action(3.0)], [change(4.0, True), change(6.0, False)])["back_after_s"] is None


def test_connections_that_were_lost_are_counted_in_every_trial_and_the_rest_with_a_fault_alone() -> None:
    load = {"failures": {"reset": 2, "eof": 3, "timeout": 5}, "slices": seconds(0, 200)}
    empty = dict.fromkeys(("outage_s", "outage_over", "ejected_after_s", "back_after_s"))
    assert fault_columns.columns(load, [], [], fault=False) == {**empty, "connections_lost": 5}
    assert fault_columns.columns(None, [], [], fault=True) == {**empty, "connections_lost": None}
    assert fault_columns.columns(load, [action(0.5)], [], fault=True)["outage_s"] == 0.0
