"""What caches tell of themselves, read out of answers that real ones have given, and out of answers that are none."""

import json
from typing import Any

import pytest

from testbed.parts import nginx_cache, varnish
from testbed.parts.asking import Address, PartError
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts
from testbed.parts.nginx_cache import NginxCache
from testbed.parts.varnish import Varnish
from tests.unit.testbed.parts.answering import answering
from tests.unit.testbed.parts.test_nginx import ANSWER

HEAD = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n"
# Ten connections: three that asked now, one before them, six of clients; two of the ten are there.
STATUS = ANSWER.replace("Active connections: 4", "Active connections: 2")
# Of a Varnish before a server that took 50 ms: ten clients asked for one item that lived for a second.
COUNTERS = {
    "sess_conn": 10,
    "sess_dropped": 0,
    "client_req": 5_403,
    "cache_hit": 5_363,
    "cache_miss": 4,
    "backend_conn": 1,
    "backend_reuse": 3,
    "backend_req": 4,
    "backend_retry": 0,
    "backend_fail": 0,
    "s_fetch": 4,
    "s_bgfetch": 0,
    "bgfetch_no_thread": 0,
}


def of_varnish(**counters: int) -> dict[str, Any]:
    told = {f"MAIN.{name}": {"description": "", "value": value} for name, value in (COUNTERS | counters).items()}
    return {"version": 1, "timestamp": "2026-11-26T19:38:03", "counters": told}


def test_nginx_marks_what_it_has_fetched_and_who_has_asked_its_page() -> None:
    found = nginx_cache.parse(HEAD.format(2), HEAD.format(22), STATUS)
    assert (found.connections, found.dropped, found.requests) == (6, 0, RequestCounts(fetched=11))


@pytest.mark.parametrize("head", ["", "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"])
def test_without_its_marks_nginx_knows_no_connections_and_nothing_fetched(head: str) -> None:
    found = nginx_cache.parse(head, head, STATUS)
    assert (found.connections, found.requests) == (None, RequestCounts())
    assert nginx_cache.parse(head, head, head) == UNKNOWN


def test_nginx_is_asked_three_things_in_their_order() -> None:
    with answering({"HEAD /asked": HEAD.format(0), "HEAD /fetched": HEAD.format(4), "GET /": STATUS}) as (port, asked):
        assert NginxCache(Address("front", port)).read() == nginx_cache.parse(HEAD.format(0), HEAD.format(4), STATUS)
    assert [question.split()[1] for question in asked] == ["/asked", "/fetched", "/"]


def test_varnish_counts_connections_of_both_sides_and_what_it_has_fetched() -> None:
    found = varnish.parse(of_varnish(s_bgfetch=3))
    assert (found.connections, found.dropped) == (10, 0)
    assert found.requests == RequestCounts(fetched=4, refreshed=3, connections=1, failed=0, counts_errors=True)


def test_a_refresh_for_which_varnish_had_no_thread_is_none() -> None:
    found = varnish.parse(of_varnish(s_bgfetch=398, bgfetch_no_thread=396)).requests
    assert found is not None and found.refreshed == 2


def test_a_request_that_varnish_sends_once_more_is_one() -> None:
    found = varnish.parse(of_varnish(backend_req=6, backend_retry=2)).requests
    assert found is not None and found.fetched == 4


@pytest.mark.parametrize("found", [{}, {"counters": []}, {"counters": {"MAIN.sess_conn": 3}}])
def test_of_what_varnish_does_not_say_nothing_is_known(found: dict[str, Any]) -> None:
    assert varnish.parse(found) == FrontCounts(requests=RequestCounts(counts_errors=True))


def test_varnishs_page_is_asked() -> None:
    body = json.dumps(of_varnish())
    with answering({"GET / HTTP/1.1": f"HTTP/1.0 200 OK\r\n\r\n{body}"}) as (port, _):
        assert Varnish(Address("front", port)).read() == varnish.parse(of_varnish())
    none = {"GET /": "HTTP/1.1 503 Service Unavailable\r\n\r\nvarnishstat: none"}
    with answering(none) as (port, _), pytest.raises(PartError, match=r"^front answers / with 503"):
        Varnish(Address("front", port)).read()
