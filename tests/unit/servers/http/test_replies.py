"""What requests are answered: bodies, statuses, and which of them count as served."""

from typing import Any

import pytest

from servers import protocol
from servers.config import ConfigError
from servers.conversation import Errand
from servers.http.config import HttpConfig, read_http
from servers.http.parser import Fault, Request
from servers.http.replies import Replies

CONFIG = HttpConfig(max_head=1_000, max_body=1_000, request_timeout_s=10, cache_control=b"max-age=2")


class Stands:
    """Something behind that answers each errand with the next of these."""

    kind, verbs = "postgres", ("read", "write")

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)


def request(method: bytes = b"POST", target: bytes = b"/", body: bytes = b"", **more: Any) -> Request:
    return Request(
        method, target, more.pop("directives", b""), body, more.pop("is_1_0", False), more.pop("keeps", True)
    )


def replies(*requests: Request, behind: Any = None, allow_faults: bool = False) -> list[Any]:
    found: list[Any] = []
    for step in Replies(CONFIG).answers(requests, allow_faults, behind):
        if isinstance(step, Errand):
            step.reply = behind.replies.pop(0)
        else:
            found.append(step)
    return found


def parts(reply: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in lines), body


def test_a_body_is_echoed_and_a_get_is_answered_with_its_target() -> None:
    ((posted, _),) = replies(request(body=b"hello\n"))
    status, headers, body = parts(posted)
    assert (status, body) == (200, b"hello\n")
    assert headers["Content-Length"] == "6"
    assert headers["Date"].endswith(" GMT")
    assert "Cache-Control" not in headers
    ((got, _),) = replies(request(b"GET", b"/items/7?size=20"))
    status, headers, body = parts(got)
    assert (status, body) == (200, b"/items/7?size=20\n/it")
    assert headers["Cache-Control"] == "max-age=2"
    ((head, _),) = replies(request(b"HEAD", b"/items/7?size=20"))
    assert parts(head)[1]["Content-Length"] == "20"
    assert parts(head)[2] == b""


def test_requests_without_work_are_answered_in_one_piece_and_each_counts() -> None:
    ((data, counted),) = replies(request(body=b"a"), request(b"GET", b"/b"))
    assert data == b"".join(counted)
    assert len(counted) == 2


def test_work_of_query_and_header_is_done_in_the_order_of_lines() -> None:
    found = replies(request(target=b"/x?sleep=2000&spin=1", directives=b" hash=1", body=b"a"))
    assert found[0] == 0.002
    assert parts(found[1][0])[2] == b"a"


@pytest.mark.parametrize(
    ("target", "directives", "reason"),
    [
        (b"/?nonsense=1", b"", "unknown directive 'nonsense'"),
        (b"/?sleep=1", b" sleep=2", "directive sleep is given twice"),
        (b"/?sleep=never", b"", "sleep must be a whole number"),
        (b"/?size=5", b"", "size: of GET and HEAD only"),
        (b"/?read=7", b"", "read: nothing is behind this server"),
        (b"/?crash=exit", b"", "crash is refused"),
    ],
)
def test_a_bad_directive_is_a_400_that_is_not_served_and_keeps_the_connection(
    target: bytes, directives: bytes, reason: str
) -> None:
    ((reply, counted),) = replies(request(target=target, directives=directives))
    status, headers, body = parts(reply)
    assert (status, counted) == (400, ())
    assert reason in body.decode()
    assert "Connection" not in headers


@pytest.mark.parametrize("size", [b"-1", b"1001", b"x", b""])
def test_a_size_out_of_bounds_is_a_400(size: bytes) -> None:
    ((reply, _),) = replies(request(b"GET", b"/?size=" + size))
    assert b"size must be a whole number from 0 to 1000" in reply


@pytest.mark.parametrize(
    ("line", "status", "served"),
    [
        (protocol.STALE, 200, True),
        (protocol.WRONG, 500, False),
        (protocol.backend_error("timeout", "x"), 504, False),
        (protocol.backend_error("exhausted", "x"), 503, False),
        (protocol.backend_error("unknown key", "x"), 404, False),
        (protocol.backend_error("unreachable", "x"), 502, False),
        (protocol.backend_error("refused", "x"), 502, False),
    ],
)
def test_what_is_behind_answers_by_a_status(line: bytes, status: int, served: bool) -> None:
    ((reply, counted),) = replies(request(target=b"/?read=7:3"), behind=Stands(line))
    assert parts(reply)[0] == status
    assert parts(reply)[2] == line
    assert bool(counted) is served


def test_with_what_is_behind_all_right_the_reply_is_the_echo() -> None:
    ((reply, _),) = replies(request(target=b"/?read=7&write=7:3", body=b"a"), behind=Stands(b"", b""))
    assert parts(reply)[2] == b"a"


def test_who_ends_the_connection_is_told_so_and_an_old_client_that_it_stays() -> None:
    ((last, _),) = replies(request(keeps=False))
    assert parts(last)[1]["Connection"] == "close"
    ((old, _),) = replies(request(is_1_0=True))
    assert parts(old)[1]["Connection"] == "keep-alive"
    ((refused, _),) = replies(request(target=b"/?x", is_1_0=True))
    assert parts(refused)[1]["Connection"] == "keep-alive"
    assert parts(Replies(CONFIG).fault(Fault(431, "long")))[:2][1]["Connection"] == "close"


def test_a_method_that_is_not_served_is_told_which_are() -> None:
    first, second = replies(request(body=b"a"), request(b"DELETE"))
    assert parts(first[0])[2] == b"a"
    assert parts(second[0])[0] == 405
    assert parts(second[0])[1]["Allow"] == "GET, HEAD, POST, PUT"
    assert second[1] == ()


def test_the_lie_is_in_the_body() -> None:
    ((reply, _),) = replies(request(target=b"/?crash=lie", body=b"abc"), allow_faults=True)
    assert parts(reply)[2] == b"ab?"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MAX_HEAD", "1"), ("REQUEST_TIMEOUT", "0"), ("CACHE_CONTROL", "a\nb"), ("CACHE_CONTROL", "a" * 201)],
)
def test_a_bad_variable_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^{variable}="):
        read_http({variable: value}, 1_000)
