"""The configuration of each gateway. That the programs accept them, tests/parts/test_gateway.py tries."""

from typing import Any

import pytest

from fronts import envoy, haproxy, nginx
from fronts.settings import SettingsError, read


def gateway(environment: dict[str, str]) -> list[str]:
    """The lines of what HAProxy is told as one."""
    return [line.strip() for line in haproxy.configuration(read({"HTTP": "on", **environment})).splitlines()]


def of_envoy(environment: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Listener, what it makes of a connection, cluster."""
    told = envoy.configuration(read(environment))["static_resources"]
    (listener,), (cluster,) = told["listeners"], told["clusters"]
    return listener, listener["filter_chains"][0]["filters"][0]["typed_config"], cluster


def test_haproxy_speaks_http_where_it_is_told_so() -> None:
    text = gateway({"SERVERS": "a b", "MAXCONN": "100", "THREADS": "2", "BACKLOG": "7", "BALANCE": "leastconn"})
    assert {"mode http", "http-reuse always", "bind :8081 backlog 7", "maxconn 100", "nbthread 2"} <= {*text}
    assert {"balance leastconn", "server a a:8081 init-addr libc", "server b b:8081 init-addr libc"} <= {*text}
    assert "mode tcp" in haproxy.configuration(read({"SERVERS": "a"}))
    with pytest.raises(SettingsError, match=r"^HTTP='yes': must be on or off$"):
        read({"SERVERS": "a", "HTTP": "yes"})


ROUTED = {"SERVERS": "reads waits", "ROUTES": "on", "SERVICES_MAXCONN": "2 0", "RATE_LIMIT": "400", "API_KEY": "k"}


def test_haproxy_asks_for_a_key_then_limits_then_looks_at_the_path() -> None:
    text = gateway(ROUTED)
    asked = [line for line in text if line.startswith(("http-request", "use_backend", "default_backend"))]
    assert asked == [
        'http-request return status 401 content-type text/plain string "no key" unless { req.hdr(X-Api-Key) -m str k }',
        "http-request track-sc0 int(1)",
        "http-request deny deny_status 429 if { sc0_gpc0_rate ge 400 }",
        "http-request sc-inc-gpc0(0)",
        "use_backend to-reads if { path /reads } || { path_beg /reads/ }",
        "use_backend to-waits if { path /waits } || { path_beg /waits/ }",
        "default_backend servers",
    ]
    assert text.count("server reads reads:8081 init-addr libc maxconn 2") == 2
    assert text.count("server waits waits:8081 init-addr libc") == 1


def test_envoy_asks_for_a_key_then_limits_then_looks_at_the_path() -> None:
    told = envoy.configuration(read(ROUTED))["static_resources"]
    manager = told["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    limit, router = manager["http_filters"]
    bucket = limit["typed_config"]["token_bucket"]
    assert (bucket["tokens_per_fill"], bucket["fill_interval"]) == (40, "0.100000000s")
    assert router["name"] == "envoy.filters.http.router"
    keyless, *paths = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert keyless["direct_response"]["status"] == 401 and keyless["match"]["headers"][0]["invert_match"]
    assert [(one["match"], one["route"]["cluster"]) for one in paths] == [
        ({"path_separated_prefix": "/reads"}, "to-reads"),
        ({"path_separated_prefix": "/waits"}, "to-waits"),
        ({"prefix": "/"}, "to-reads"),
    ]
    bounds = [one["circuit_breakers"].get("per_host_thresholds") for one in told["clusters"]]
    assert bounds == [[{"priority": "DEFAULT", "max_connections": 2}], None]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SERVERS": "a", "RATE_LIMIT": "0.5"}, "RATE_LIMIT='0.5': must be 0, or requests per second from 1"),
        ({"SERVERS": "a", "RATE_LIMIT": "many"}, "RATE_LIMIT='many'"),
        ({"SERVERS": "a", "API_KEY": "a b"}, "API_KEY: must be letters"),
        ({"SERVERS_DNS": "a", "ROUTES": "on"}, "ROUTES='on': SERVERS must name the services"),
        ({"SERVERS": "a b", "SERVICES_MAXCONN": "1"}, "SERVICES_MAXCONN='1': must be a whole number for each"),
    ],
)
def test_what_a_gateway_is_told_has_to_make_sense(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        read(environment)


@pytest.mark.parametrize("told", [{"ROUTES": "on"}, {"RATE_LIMIT": "5"}, {"API_KEY": "k"}])
def test_what_sees_no_requests_is_told_nothing_of_them(told: dict[str, str]) -> None:
    for front in (haproxy.configuration, nginx.configuration):
        with pytest.raises(SettingsError, match=next(iter(told))):
            front(read({"SERVERS": "a", **told}))


def test_haproxy_follows_a_name_there_too() -> None:
    assert "server-template server- 16 spmt:8081 resolvers engine init-addr none" in gateway({"SERVERS_DNS": "spmt"})


def test_envoy_is_told_of_each_server_and_of_no_bound_that_nobody_asked_for() -> None:
    listener, manager, cluster = of_envoy({"SERVERS": "a b", "SERVER_PORT": "7", "BACKLOG": "9"})
    endpoints = [one["endpoint"] for one in cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]]
    assert [one["hostname"] for one in endpoints] == ["a", "b"]
    assert {one["address"]["socket_address"]["port_value"] for one in endpoints} == {7}
    (thresholds,) = cluster["circuit_breakers"]["thresholds"]
    bounds = {value for name, value in thresholds.items() if name != "priority"}
    assert len(thresholds) == 5 and min(bounds) > 10**6
    assert listener["tcp_backlog_size"] == 9
    assert manager["codec_type"] == "HTTP1" and manager["stat_prefix"] == envoy.CLIENTS


@pytest.mark.parametrize(
    ("balance", "policy"), [("roundrobin", "ROUND_ROBIN"), ("leastconn", "LEAST_REQUEST"), ("source", "RING_HASH")]
)
def test_envoy_chooses_as_it_is_told(balance: str, policy: str) -> None:
    _, manager, cluster = of_envoy({"SERVERS": "a b", "BALANCE": balance})
    assert cluster["lb_policy"] == policy
    (route,) = manager["route_config"]["virtual_hosts"][0]["routes"]
    assert ("hash_policy" in route["route"]) == (balance == "source")


def test_envoy_follows_a_name_and_has_as_many_threads_as_it_is_told() -> None:
    _, _, cluster = of_envoy({"SERVERS_DNS": "spmt"})
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert (cluster["type"], endpoint["endpoint"]["hostname"]) == ("STRICT_DNS", "spmt")
    assert envoy.arguments(read({"SERVERS": "a", "THREADS": "3"}))[-2:] == ["--concurrency", "3"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SERVERS": "a", "SPARE_SERVERS": "b"}, "SPARE_SERVERS='b': .* cannot be told of servers later"),
    ],
)
def test_what_envoy_cannot_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        envoy.configuration(read(environment))
