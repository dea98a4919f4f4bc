"""nginx's counters, read out of an answer that one has given, and out of answers that are none."""

from pathlib import Path

import pytest

from testbed.parts.asking import Address, PartError
from testbed.parts.counts import UNKNOWN, FrontCounts
from testbed.parts.nginx import Nginx, parse
from tests.unit.testbed.parts.answering import answering

# Of an nginx 1.26 that has taken eight clients, of which three are there, and was asked for the second time.
with (Path(__file__).parents[3] / "fixtures" / "fronts" / "nginx-status.txt").open(newline="") as _file:
    ANSWER = _file.read()


def test_the_connections_of_those_who_look_are_not_the_clients() -> None:
    assert " 10 10 2 " in ANSWER
    assert parse(ANSWER) == FrontCounts(connections=8, open=3, dropped=0)


def test_connections_for_which_there_was_no_room_are_counted() -> None:
    assert parse(ANSWER.replace(" 10 10 2 ", " 10 7 2 ")).dropped == 3


@pytest.mark.parametrize(
    "text", ["", "HTTP/1.1 404 Not Found\r\n\r\n", ANSWER.replace(" 10 10 2 ", " 10 "), ANSWER.partition("Reading")[0]]
)
def test_from_a_bad_answer_nothing_is_known(text: str) -> None:
    assert parse(text) == UNKNOWN


def test_its_page_is_asked() -> None:
    with answering({"GET / HTTP/1.0": ANSWER}) as (port, asked):
        assert Nginx(Address("front", port)).read() == parse(ANSWER)
    assert len(asked) == 1
    with pytest.raises(PartError, match=r"^front does not answer at "):
        Nginx(Address("front", port)).read()
