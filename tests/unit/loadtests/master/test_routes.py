"""Which target the page offers first."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask

from loadtests.master.routes import Routes

TARGETS = ("alone", "many", "more")


def offered(up: dict[str, bool], one_at_a_time: tuple[str, ...], is_idle: bool = True) -> str:
    control = SimpleNamespace(targets=dict.fromkeys(TARGETS), is_idle=is_idle)
    tab = SimpleNamespace(up=lambda: up)
    routes = Routes(Flask("page"), cast("Any", control), cast("Any", tab), one_at_a_time)
    routes._choose_default_target()
    return routes.default_target


@pytest.mark.parametrize(
    ("up", "first"),
    [
        ({"alone": True, "many": True, "more": True}, "many"),
        ({"alone": True, "many": False, "more": True}, "more"),
        ({"alone": True, "many": False, "more": False}, "alone"),
        ({"alone": False, "many": False, "more": False}, "alone"),
    ],
)
def test_it_is_the_first_that_is_up_and_one_that_serves_one_client_at_a_time_only_for_want_of_others(
    up: dict[str, bool], first: str
) -> None:
    assert offered(up, ("alone",)) == first


def test_without_being_told_it_is_the_first_that_is_up() -> None:
    assert offered({"alone": True, "many": True, "more": True}, ()) == "alone"


def test_in_a_run_nothing_is_asked_of_the_servers() -> None:
    assert offered({"alone": False, "many": True, "more": True}, (), is_idle=False) == "alone"
