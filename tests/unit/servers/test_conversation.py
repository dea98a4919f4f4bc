"""What is answered, in which pieces, and where a request waits, without a socket."""

import pytest

from servers import conversation
from servers.conversation import ERROR, Errand, answers
from servers.protocol import STALE, WRONG, Ask, Work


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


class Stub:
    """What is behind a server, for whom it is enough to say what it takes."""

    kind = "postgres"
    verbs = ("read", "write")


def steps_of(request: bytes, *replies: bytes) -> list[object]:
    """The steps of one request whose errands are answered so."""
    found: list[object] = []
    left = list(replies)
    for step in answers([request], False, Stub()):  # type: ignore[arg-type]
        found.append(step)
        if isinstance(step, Errand):
            step.reply = left.pop(0)
    return found


def test_an_errand_comes_before_the_wait_and_the_work(worked: list[Work]) -> None:
    request = b"!sleep=5000 !spin=7 !read=7:3 x\n"
    errand, wait, reply = steps_of(request, b"")
    assert isinstance(errand, Errand) and errand.ask == Ask("read", 7, 3)
    assert (wait, reply) == (0.005, (request, (request,)))
    assert len(worked) == 1


def test_a_stale_value_is_served_with_all_the_work_and_counts_as_what_was_sent(worked: list[Work]) -> None:
    errand, other, reply = steps_of(b"!write=8 !read=7:3 !spin=7\n", STALE, b"")
    assert isinstance(errand, Errand) and isinstance(other, Errand)
    assert [errand.ask.verb, other.ask.verb] == ["read", "write"]
    assert reply == (STALE, (STALE,))
    assert len(worked) == 1


@pytest.mark.parametrize("bad", [WRONG, b"!error backend timeout: no answer within 2 s\n"])
def test_after_anything_worse_nothing_more_is_done(bad: bytes, worked: list[Work]) -> None:
    errand, reply = steps_of(b"!read=7:3 !write=8 !spin=7\n", bad)
    assert isinstance(errand, Errand)
    assert reply == (bad, ERROR)
    assert worked == []


def test_what_is_behind_is_not_asked_for_what_it_does_not_take() -> None:
    (reply,) = steps_of(b"!send=7\n")
    assert reply == (b"!error send: postgres is behind this server, which takes read, write\n", ERROR)


@pytest.mark.parametrize("verb", ["read", "write", "send"])
def test_without_anything_behind_there_is_nothing_to_ask(verb: str) -> None:
    (reply,) = answers([f"!{verb}=7\n".encode()], False)
    assert reply == (f"!error {verb}: nothing is behind this server\n".encode(), ERROR)
