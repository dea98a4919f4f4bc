"""Requests out of a byte stream: the same however it is cut, and an end to whatever is no HTTP or too much of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.http.parser import Request, RequestParser

HEAD, BODY = 1_000, 2_000
GET = b"GET /a?sleep=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n"
)
OLD = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LAST = b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nThreadmill: sleep=5 read=7\r\n\r\n"
UPGRADE = b"GET /u HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
STREAM = GET + POST + CHUNKED + OLD + UPGRADE + GET + LAST


def fed(data: bytes, *cuts: int) -> tuple[list[Request], RequestParser]:
    parser, found = RequestParser(HEAD, BODY), []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed(data[start:end])
    return found, parser


def test_a_request_has_what_its_answer_depends_on() -> None:
    found, parser = fed(STREAM)
    assert found == [
        Request(b"GET", b"/a?sleep=1", b"", b"", is_1_0=False, keeps=True),
        Request(b"POST", b"/", b"", b"hello", is_1_0=False, keeps=True),
        Request(b"PUT", b"/x", b"", b"abcde", is_1_0=False, keeps=True),
        Request(b"GET", b"/", b"", b"", is_1_0=True, keeps=True),
        Request(b"GET", b"/u", b"", b"", is_1_0=False, keeps=True),
        Request(b"GET", b"/a?sleep=1", b"", b"", is_1_0=False, keeps=True),
        Request(b"HEAD", b"/", b" sleep=5 read=7", b"", is_1_0=False, keeps=False),
    ]
    assert parser.ended
    assert parser.fault is None
    assert not parser.begun


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_however_the_stream_is_cut_the_requests_are_the_same(cuts: list[int]) -> None:
    assert fed(STREAM, *cuts)[0] == fed(STREAM)[0]


def test_byte_by_byte() -> None:
    assert fed(STREAM, *range(len(STREAM)))[0] == fed(STREAM)[0]


def test_nothing_after_the_last_request_is_read() -> None:
    found, parser = fed(LAST + GET)
    assert [request.method for request in found] == [b"HEAD"]
    assert parser.feed(GET) == []
    assert parser.fault is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n", 400),
        (POST.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"), 400),
        (POST.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n"), 400),
        (POST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), 400),
        (POST.replace(b": 5", b": -5"), 400),
        (POST.replace(b": 5", b": 99999999999999999999"), 400),
        (POST.replace(b": 5", b": 2001"), 413),
        (CHUNKED.replace(b"3\r\n", b"0x3\r\n"), 400),
        (CHUNKED.replace(b"3\r\n", b"3\n"), 400),
        (CHUNKED.replace(b"3\r\n", b"fffffffffffffffff\r\n"), 400),
        (CHUNKED.replace(b"Chunked", b"gzip, chunked"), 501),
        (CHUNKED.replace(b"Chunked", b"chunked, chunked"), 400),
        (CHUNKED.replace(b"3\r\nabc", b"bb8\r\n" + b"a" * 3000), 413),
        (b"GET /" + b"a" * HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 10_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: " + b"b" * 5000, 431),
    ],
)
def test_what_is_no_http_or_too_much_of_it_ends_the_connection_however_it_is_cut(data: bytes, status: int) -> None:
    # In pieces a head is bounded as it comes; in one piece, as long as a read is, when it is whole or the next comes.
    for found, parser in (fed(GET + data, *range(0, len(data), 100)), fed(GET + data, len(data))):
        assert [request.target for request in found] == [b"/a?sleep=1"]
        if parser.fault is None:
            parser.feed(b"b" * (HEAD + 1))
        assert parser.fault is not None
        assert parser.fault.status == status
        assert parser.feed(GET) == []


@pytest.mark.parametrize(
    "endless",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nA: |b",
        b"GET /|b",
        b"GET / HTTP/1.1\r\nHost: a\r\n|a: b\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;|x",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n|a: b\r\n",
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n|1\r\na\r\n",
    ],
)
def test_a_request_that_never_ends_is_ended(endless: bytes) -> None:
    begin, more = endless.split(b"|")
    parser = RequestParser(HEAD, BODY)
    parser.feed(begin)
    held = 0
    while parser.fault is None:
        assert parser.feed(more * 10) == []
        held += 10 * len(more)
        assert held < 2 * (HEAD + 8 * BODY)
    assert parser.fault.status in (400, 413, 431)


def test_who_waits_to_be_told_to_go_on_is_told_once_and_only_where_the_body_is_awaited() -> None:
    head, _, body = POST.replace(b"Host", b"Expect: 100-continue\r\nHost").rpartition(b"\r\n\r\n")
    parser = RequestParser(HEAD, BODY)
    assert parser.feed(head) == []
    assert not parser.wants_to_continue()
    parser.feed(b"\r\n\r\n")
    assert parser.wants_to_continue()
    assert not parser.wants_to_continue()
    assert [request.body for request in parser.feed(body)] == [b"hello"]
    whole = RequestParser(HEAD, BODY)
    assert whole.feed(head + b"\r\n\r\n" + body)
    assert not whole.wants_to_continue()
