"""What goes to each of several services, as a run's option has it."""

import pytest

from loadtests.field import OptionError
from loadtests.fields import parse as options_of
from loadtests.mixes import Part, parse

TEXT = "reads:6:read:spin=200,waits:3:sleep=20000,plain:1"


def test_each_service_has_its_share_and_its_work() -> None:
    assert parse(TEXT) == (
        Part("reads", 6, (b"spin=200",), reads=True),
        Part("waits", 3, (b"sleep=20000",)),
        Part("plain", 1),
    )
    assert parse("") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("reads", "NAME:SHARE"),
        ("Reads:1", "NAME:SHARE"),
        ("a:0", "a: a share above 0"),
        ("a:nan", "a: a share above 0"),
        ("a:1:crash=segv", "a: NAME:SHARE"),
        ("a:1:sleep=-1", "a: NAME:SHARE"),
        ("a:1:sleep=1:sleep=2", "a: NAME:SHARE"),
        ("a:1,a:2", "each service once"),
        (",".join(f"s{number}:1" for number in range(9)), "at most 8 services"),
    ],
)
def test_what_is_none_is_said_in_a_line(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        parse(text)
    assert "\n" not in str(refused.value)


def form(**more: object) -> dict[str, object]:
    return {"target": "spmt", "protocol": "http", "services": "a:1,b:2", **more}


def test_services_are_of_posts_over_http() -> None:
    assert [part.name for part in options_of(form(), ["spmt"]).parts] == ["a", "b"]
    for more, says in (
        ({"protocol": "line"}, "services: 'a:1,b:2' needs protocol http"),
        ({"method": "get"}, "method: post with services"),
        ({"services": "a:1:read"}, "services: a reads, which needs behind store, not none"),
        ({"behind": "broker"}, "services: with a broker behind there are none"),
        ({"services": "a:x"}, "services: a: a share above 0"),
        ({"services": "", "protocol": "line", "api_key": "k"}, "api_key: 'k' needs protocol http"),
        ({"api_key": "a b"}, "api_key: printable ASCII without spaces"),
    ):
        with pytest.raises(OptionError, match=says):
            options_of(form(**more), ["spmt"])
