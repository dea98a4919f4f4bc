import pytest

from loadtests import replies
from loadtests.replies import Answer
from loadtests.wire import protocols

WIRE = protocols.of("line", "spmt")
LINE, READ = WIRE.request(b"payload", [b"sleep=5"]), WIRE.request(b"payload", [b"read=7:3"])
ECHO, STALE = Answer(is_stale=False, is_last=False), Answer(is_stale=True, is_last=False)


def failure(received, request=LINE):
    with pytest.raises(replies.EchoError) as caught:
        WIRE.answer(request, received)
    return caught.value.kind


def test_a_request_is_a_line_with_the_words_in_front():
    assert LINE == b"!sleep=5 payload\n"
    assert WIRE.request(b"") == b"\n"
    assert WIRE.form(b"read=%d:%d") % (7, 3, WIRE.rest(b"x", [b"spin=1"])) == b"!read=7:3 !spin=1 x\n"
    assert WIRE.size(LINE) == len(LINE)


def test_the_same_line_is_the_echo_and_a_read_may_be_stale():
    assert WIRE.answer(LINE, LINE) == ECHO
    assert WIRE.answer(READ, b"!stale\n") == STALE
    assert [WIRE.answer(LINE, LINE[:end]) for end in range(1, len(LINE))] == [None] * (len(LINE) - 1)
    assert [WIRE.answer(READ, piece) for piece in (b"!", b"!st", b"!err", b"!error bac")] == [None] * 4


@pytest.mark.parametrize(
    ("received", "kind"),
    [
        (b"!sleep=5 pAyload\n", "bad_echo"),
        (LINE + b"x", "bad_echo"),
        (b"!stale\n", "bad_echo"),
        (b"!error what\n", "refused"),
        (b"!error " + b"x" * 5000, "refused"),
        (b"!error backend refused: no\n", "backend refused"),
        (b"HTTP/1.1 400 Bad Request\r\n", "bad_echo"),
        (b"", "eof"),
    ],
)
def test_every_other_reply_is_a_failure_by_name(received, kind):
    assert failure(received) == kind


def test_a_read_may_find_what_was_never_written():
    assert failure(b"!wrong\n", READ) == "wrong"
