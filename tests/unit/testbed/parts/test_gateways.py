"""What gateways tell of themselves, read out of answers as real ones give them, and out of answers that are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.parts import envoy, haproxy_http
from testbed.parts.asking import Address, PartError
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts, ServerCounts
from testbed.parts.envoy import Envoy
from tests.unit.testbed.parts.answering import answering

SHOW_STAT = (Path(__file__).resolve().parents[3] / "fixtures/fronts/haproxy-show-stat.csv").read_text()
COUNTERS = {
    "cluster.servers.upstream_cx_connect_fail": 0,
    "cluster.servers.upstream_cx_total": 2,
    "cluster.servers.upstream_rq_2xx": 810,
    "cluster.servers.upstream_rq_active_overflow": 2,
    "cluster.servers.upstream_rq_pending_overflow": 0,
    "cluster.servers.upstream_rq_retry": 5,
    "cluster.servers.upstream_rq_total": 815,
    "http.clients.downstream_cx_active": 0,
    "http.clients.downstream_cx_total": 10,
    "http.clients.downstream_rq_total": 812,
    "listener.0.0.0.0_8081.downstream_global_cx_overflow": 0,
}
CLUSTERS = {
    "cluster_statuses": [
        {
            "name": "servers",
            "host_statuses": [
                {
                    "address": {"socket_address": {"address": "172.18.0.4", "port_value": 8081}},
                    "stats": [
                        {"name": "cx_connect_fail"},
                        {"value": "1", "name": "cx_total"},
                        {"type": "GAUGE", "value": "1", "name": "cx_active"},
                    ],
                    "hostname": "event-loop-1",
                }
            ],
        }
    ]
}


def stats(**counters: int) -> dict[str, Any]:
    return {"stats": [{"name": name, "value": value} for name, value in (COUNTERS | counters).items()]}


def test_envoy_counts_connections_of_both_sides_and_requests() -> None:
    assert envoy.parse(stats(), CLUSTERS) == FrontCounts(
        connections=10,
        open=0,
        dropped=0,
        limited=0,
        servers={"event-loop-1": ServerCounts(connections=1, open=1, failed=0, is_ejected=False)},
        requests=RequestCounts(
            fetched=810, refreshed=0, connections=2, failed=0, tried=815, retried=5, asked=812, refused=2
        ),
    )


def test_what_is_no_answer_of_envoys_is_not_known() -> None:
    for none in ({}, {"stats": None}, {"stats": ["a"]}, {"stats": [{"name": "a", "value": "b"}]}):
        assert envoy.parse(none, {}) == UNKNOWN


def test_without_a_200_yet_envoy_has_fetched_nothing() -> None:
    told = stats()
    told["stats"] = [one for one in told["stats"] if not one["name"].endswith("2xx")]
    found = envoy.parse(told, {}).requests
    assert found is not None and found.fetched == 0


def test_envoys_page_comes_in_chunks() -> None:
    def reply(found: dict[str, Any]) -> str:
        body = json.dumps(found)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        return f"{head}{5:x}\r\n{body[:5]}\r\n{len(body) - 5:x}\r\n{body[5:]}\r\n0\r\n\r\n"

    with answering({"GET /stats": reply(stats()), "GET /clusters": reply(CLUSTERS)}) as (port, asked):
        assert Envoy(Address("envoy", port)).read() == envoy.parse(stats(), CLUSTERS)
    assert all(question.rstrip().endswith("HTTP/1.1") for question in asked)
    cut = {"GET /": reply(stats())[:-40]}
    with answering(cut) as (port, _), pytest.raises(PartError, match=r"^envoy answers /stats"):
        Envoy(Address("envoy", port)).read()


def test_of_haproxy_requests_are_counted_beside_connections() -> None:
    lines = SHOW_STAT.splitlines()
    names = lines[0].removeprefix("# ").split(",")
    rows = [line.split(",") for line in lines]
    for row in rows:
        if row[:2] in (["servers", "fs-1"], ["servers", "fs-2"], ["servers", "fs-3"]):
            row[names.index("hrsp_2xx")], row[names.index("connect")] = "20", "3"
    found = haproxy_http.parse("\n".join(",".join(row) for row in rows))
    assert found.requests == RequestCounts(fetched=60, refreshed=0, connections=9, failed=0)
    assert found.servers["fs-1"].connections == 3


def test_haproxy_that_says_less_leaves_that_not_known() -> None:
    found = haproxy_http.parse(SHOW_STAT).requests
    assert found is not None and found.fetched is None
    assert haproxy_http.parse("") == UNKNOWN
