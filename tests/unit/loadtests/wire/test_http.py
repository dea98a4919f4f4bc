"""Requests of HTTP/1.1, and what may come for them, from servers and from what stands before them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from loadtests import replies
from loadtests.replies import Answer
from loadtests.wire import http, protocols

WIRE = protocols.of("http", "spmt")
BODY = b"payload"
REQUEST = WIRE.request(BODY, [b"sleep=5"])
READ = WIRE.form(b"read=%d:%d") % (7, 3, WIRE.rest(BODY))
ECHO = Answer(is_stale=False, is_last=False)
LAST = Answer(is_stale=False, is_last=True)


def reply(body=BODY, status="200 OK", length=None, fields=("Date: Thu, 26 Nov 2026 18:00:00 GMT",), version="1.1"):
    sized = [] if length == "none" else [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([f"HTTP/{version} {status}", *sized, *fields, "", ""]).encode() + body


def failure(received, request=REQUEST):
    with pytest.raises(replies.EchoError) as caught:
        WIRE.answer(request, received)
    return caught.value


def test_a_request_is_a_post_with_the_words_in_its_query():
    assert REQUEST == b"POST /?sleep=5 HTTP/1.1\r\nHost: spmt\r\nContent-Length: 7\r\n\r\npayload"
    assert WIRE.request(b"").startswith(b"POST / HTTP/1.1\r\n")
    assert WIRE.request(b"", [b"sleep=5", b"hash=2"]).startswith(b"POST /?sleep=5&hash=2 HTTP/1.1\r\n")
    assert WIRE.form(b"read=all") % WIRE.rest(b"x", [b"spin=1"]) == WIRE.request(b"x", [b"read=all", b"spin=1"])
    assert WIRE.request(BODY, [b"read=7:3"]) == READ
    assert [WIRE.size(one) for one in (REQUEST, WIRE.request(b""))] == [7, 0]


@pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"!error x\n", b"x" * 65536, b"\xff\0"])
def test_the_same_body_is_the_echo(body):
    assert WIRE.answer(WIRE.request(body), reply(body)) == ECHO


@pytest.mark.parametrize(
    "received",
    [
        reply(fields=("CACHE-control: max-age=2", "Via: 1.1 proxy", "X-Empty:")),
        reply().replace(b"Content-Length", b"content-LENGTH"),
        reply(fields=("Connection: keep-alive",), version="1.0"),
        reply(status="200"),
        reply(fields=("Content-Length: 7",)),
    ],
    ids=["more headers", "letters", "HTTP/1.0", "no reason", "length twice"],
)
def test_headers_may_be_any_in_any_order_and_case(received):
    assert WIRE.answer(REQUEST, received) == ECHO


@pytest.mark.parametrize("received", [reply(), reply(b"!error backend timeout: late\n", "504 Gateway Timeout")])
def test_of_every_piece_of_a_reply_nothing_is_said_until_it_is_whole(received):
    assert [WIRE.answer(REQUEST, received[:end]) for end in range(1, len(received))] == [None] * (len(received) - 1)


@pytest.mark.parametrize(
    "received", [reply(fields=("Connection: Close",)), reply(fields=("Connection: x, close",)), reply(version="1.0")]
)
def test_a_server_may_say_that_it_closes(received):
    assert WIRE.answer(REQUEST, received) == LAST


def test_a_read_may_be_stale_or_wrong_and_nothing_else():
    stale = reply(replies.STALE)
    assert WIRE.answer(READ, stale) == Answer(is_stale=True, is_last=False)
    assert [WIRE.answer(READ, stale[:end]) for end in (1, 40, len(stale) - 1)] == [None] * 3
    assert failure(stale).kind == "bad_echo"
    wrong = reply(replies.WRONG, "500 Internal Server Error")
    assert (failure(wrong, READ).kind, failure(wrong).kind) == ("wrong", "status")
    # As long as STALE, and not it.
    assert failure(reply(b"!stole\n"), READ).kind == "bad_echo"


@pytest.mark.parametrize(
    ("received", "kind", "keeps_connection"),
    [
        (reply(b"pAyload"), "bad_echo", True),
        (reply(b"pAyload", fields=("Connection: close",)), "bad_echo", False),
        (reply(b"longer than that"), "bad_echo", True),
        (reply(length=70), "bad_echo", False),
        (reply(length=5), "bad_echo", False),
        (reply() + b"x", "bad_echo", False),
        (reply(length="none"), "framing", False),
        (reply(length="7x"), "framing", False),
        (reply(length=-1), "framing", False),
        (reply(fields=("Content-Length: 8",)), "framing", False),
        (reply(b"7\r\npayload\r\n0\r\n\r\n", length="none", fields=("Transfer-Encoding: chunked",)), "framing", False),
        (reply(fields=("Transfer-Encoding: chunked",)), "framing", False),
        (reply(fields=("no colon",)), "framing", False),
        (REQUEST, "framing", False),
        (b"!error line is too long\n", "framing", False),
        (reply(version="2.0"), "framing", False),
        (b"HTTP/1.1 20 OK\r\n\r\n", "framing", False),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * http.MOST_HEAD_BYTES, "framing", False),
        (reply(fields=("X: " + "y" * http.MOST_HEAD_BYTES,)), "framing", False),
        (reply(b"<html>", "502 Bad Gateway"), "status", True),
        (reply(b"<html>", "502 Bad Gateway", fields=("Connection: close",)), "status", False),
        (reply(b"<html>", "503 Service Unavailable", length="none"), "status", False),
        (reply(b"<html>", "503 Service Unavailable", length=2**30), "status", False),
        (reply(BODY, "201 Created"), "status", True),
        (reply(b"", "204 No Content", length="none"), "status", False),
        (reply(b"!error server is full: 5\n", "503 Service Unavailable", fields=("Connection: close",)), "refused", 0),
        (reply(b"!error unknown directive\n", "400 Bad Request"), "refused", True),
        (reply(b"!error backend timeout: late\n", "504 Gateway Timeout"), "backend timeout", True),
        (reply(b"!error backend unknown key: 5\n", "404 Not Found"), "backend unknown key", True),
        (b"", "eof", False),
    ],
)
def test_every_other_reply_is_a_failure_by_name_and_a_whole_one_keeps_the_connection(received, kind, keeps_connection):
    error = failure(received)
    assert (error.kind, error.keeps_connection) == (kind, bool(keeps_connection))
    assert error.kind in replies.FAILURES


def test_a_failure_says_what_was_found():
    assert failure(reply(b"<html>", "429 Too Many Requests")).detail == "429 Too Many Requests"
    assert failure(reply(length="none")).detail == "no Content-Length"
    assert failure(reply(fields=("Transfer-Encoding: chunked",))).detail == "Transfer-Encoding chunked"
    assert failure(reply(b"!error what\n", "400 Bad Request")).detail == "what"


def test_one_reply_that_does_not_keep_the_connection_says_nothing_of_the_next():
    assert not failure(reply(b"pAyload", fields=("Connection: close",))).keeps_connection
    assert not replies.BadEchoError().keeps_connection
    assert failure(reply(b"pAyload")).keeps_connection


def test_more_is_never_waited_for_than_is_read():
    """Else a read of no bytes would be taken for the end of the stream."""
    long_page = reply(b"", "500 X", length=32 * 1024, fields=("X: " + "y" * (http.MOST_HEAD_BYTES - 100),))
    assert WIRE.answer(REQUEST, long_page) is None
    assert len(long_page) + 32 * 1024 < WIRE.most_bytes(REQUEST)


GETS = protocols.of_gets("spmt", 30)
ITEM = GETS.item([b"sleep=5"]) % 7
ITEMS_BODY = (b"/items/7?size=30&sleep=5\n" * 2)[:30]


def test_an_item_is_asked_for_by_its_key_and_its_body_follows_from_the_target():
    assert ITEM == b"GET /items/7?size=30&sleep=5 HTTP/1.1\r\nHost: spmt\r\n\r\n"
    assert GETS.answer(ITEM, reply(ITEMS_BODY)) == ECHO
    assert GETS.size(ITEM) == len(ITEMS_BODY) == 30


@pytest.mark.parametrize("size", [1, 24, 25, 26, 65536])
def test_the_body_of_an_item_is_cut_to_its_size(size):
    gets = protocols.of_gets("spmt", size)
    request = gets.item() % 123
    line = request.split()[1] + b"\n"
    assert gets.answer(request, reply((line * size)[:size])) == ECHO
    assert gets.room > size and gets.most_bytes(request) > size + http.MOST_HEAD_BYTES


def test_a_reply_for_another_key_is_a_bad_echo():
    other = (b"/items/8?size=30&sleep=5\n" * 2)[:30]
    with pytest.raises(replies.BadEchoError):
        GETS.answer(ITEM, reply(other))


@pytest.mark.parametrize(
    ("fields", "is_cached", "age_s"),
    [
        (("X-Cache: HIT", "Age: 3"), True, 3),
        (("x-cache: STALE", "Age: 12"), True, 12),
        (("X-Cache: HIT from edge", "Age: 0"), True, 0),
        (("X-Cache: MISS", "Age: 0"), False, 0),
        (("X-Cache: EXPIRED",), False, 0),
        (("Age: 3",), False, 0),
        (("X-Cache: HIT", "Age: -3"), True, 0),
        (("X-Cache: HIT", "Age: 3", "Date: Thu, 01 Jan 1970 00:00:00 GMT"), True, 3),
        (("X-Cache: HIT", "Date: never"), True, 0),
        (("X-Cache: HIT", "Date: Thu, 01 Jan 2970 00:00:00 GMT"), True, 0),
    ],
)
def test_a_reply_says_whether_a_cache_gave_it_and_how_old_it_was(fields, is_cached, age_s):
    assert GETS.answer(ITEM, reply(ITEMS_BODY, fields=fields)) == Answer(False, False, is_cached, age_s)


def test_without_an_age_it_is_as_old_as_its_date_says():
    made = format_datetime(datetime.now(UTC) - timedelta(seconds=5), usegmt=True)
    assert GETS.answer(ITEM, reply(ITEMS_BODY, fields=("X-Cache: HIT", f"Date: {made}"))).age_s in (5, 6)


def test_an_item_whose_value_is_read_may_be_stale_or_wrong():
    request = GETS.reading_item() % (7, 7)
    assert request.startswith(b"GET /items/7?size=30&read=7:0 HTTP/1.1")
    assert GETS.answer(request, reply(replies.STALE)) == Answer(is_stale=True, is_last=False)
    with pytest.raises(replies.WrongError):
        GETS.answer(request, reply(replies.WRONG, "500 Internal Server Error"))
