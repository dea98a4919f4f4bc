"""What is answered, in which pieces, and where a request waits, without a socket."""

import pytest

from servers import conversation
from servers.conversation import ERROR, answers
from servers.protocol import Work


@pytest.fixture(autouse=True)
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Work]:
    done: list[Work] = []
    monkeypatch.setattr(conversation, "do", done.append)
    return done


def test_echoes_without_work_between_them_go_out_in_one_piece() -> None:
    assert list(answers([b"a\n", b"b\n"], False)) == [(b"a\nb\n", [b"a\n", b"b\n"])]
    assert list(answers([b"a\n"], False)) == [(b"a\n", [b"a\n"])]
    assert list(answers([], False)) == []


def test_a_request_waits_before_its_work_and_what_came_before_it_does_not(worked: list[Work]) -> None:
    slow = b"!sleep=5000 !spin=7 b\n"
    steps = answers([b"a\n", slow, b"c\n"], False)
    assert next(steps) == (b"a\n", [b"a\n"])
    assert next(steps) == 0.005
    assert worked == []
    assert next(steps) == (slow, (slow,))
    assert [(work.spin_units, work.sleep_us) for work in worked] == [(7, 5000)]
    assert list(steps) == [(b"c\n", [b"c\n"])]


def test_a_bad_directive_is_answered_in_its_place_and_serves_nobody() -> None:
    steps = list(answers([b"a\n", b"!nonsense b\n", b"c\n"], False))
    assert [requests for _, requests in steps] == [[b"a\n"], ERROR, [b"c\n"]]
    assert steps[1][0].startswith(b"!error unknown directive")


def test_a_fault_is_an_error_where_it_is_not_allowed() -> None:
    assert [requests for _, requests in answers([b"!crash=exit x\n"], False)] == [ERROR]
