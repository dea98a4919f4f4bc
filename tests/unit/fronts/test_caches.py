"""The configuration of each cache. That the programs accept them, tests/parts/test_cdn.py tries."""

from collections.abc import Callable

import pytest

from fronts import nginx, varnish
from fronts.settings import SettingsError, read


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def cache(environment: dict[str, str]) -> str:
    """What nginx is told as a cache."""
    return nginx.configuration(read({"CACHE": "on", **environment}))


def test_nginx_keeps_connections_to_each_server_and_items_by_their_target() -> None:
    text = lines(cache({"SERVERS": "a b", "MAXCONN": "100", "THREADS": "2", "BACKLOG": "7"}))
    assert [line for line in text if line.startswith("server ")][:2] == [
        "server a:8081 max_fails=3 fail_timeout=10s;",
        "server b:8081 max_fails=3 fail_timeout=10s;",
    ]
    assert {"worker_processes 2;", "worker_connections 232;", "listen 8081 backlog=7;", "listen 8404;"} <= {*text}
    assert {"keepalive 64;", "proxy_http_version 1.1;", 'proxy_set_header Connection "";'} <= {*text}
    assert {"proxy_cache_key $request_uri;", "proxy_cache_lock on;", "proxy_cache_background_update on;"} <= {*text}


def test_nginx_serves_nothing_stale_that_the_servers_do_not_allow() -> None:
    text = cache({"SERVERS": "a"})
    assert "proxy_cache_use_stale" not in text
    assert "proxy_cache_valid" not in text


@pytest.mark.parametrize(("balance", "line"), [("leastconn", "least_conn;"), ("source", "hash $remote_addr;")])
def test_nginx_chooses_as_it_is_told(balance: str, line: str) -> None:
    assert line in lines(cache({"SERVERS": "a b", "BALANCE": balance}))


def test_varnish_takes_servers_in_turn_by_their_addresses() -> None:
    text = lines(varnish.configuration(read({"SERVERS": "spmt", "SERVER_PORT": "7"}), ["10.0.0.2", "10.0.0.3"]))
    assert [line for line in text if line.startswith((".host", ".port"))] == [
        *('.host = "10.0.0.2";', '.port = "7";', '.host = "10.0.0.3";', '.port = "7";')
    ]
    assert {"servers.add_backend(server_1);", "servers.add_backend(server_2);", "hash_data(req.url);"} <= {*text}


def test_varnish_keeps_nothing_without_the_servers_word_and_closes_no_connection_for_want_of_threads() -> None:
    command = varnish.arguments(read({"SERVERS": "a", "THREADS": "2", "BACKLOG": "9"}))
    told = {word for word in command if "=" in word}
    assert {"default_ttl=0", "default_grace=0", "default_keep=0", "listen_depth=9", "thread_pools=2"} <= told
    assert {"thread_pool_max=250", "thread_queue_limit=100000"} <= told
    assert command[:4] == ["varnishd", "-F", "-j", "none"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SERVERS_DNS": "spmt"}, "SERVERS_DNS='spmt': .* looks names up once"),
        ({"SERVERS": "a", "SPARE_SERVERS": "b"}, "SPARE_SERVERS='b': .* cannot be told of servers later"),
        ({"SERVERS": "a", "SERVER_MAXCONN": "4"}, "SERVER_MAXCONN=4: must be 0: .* has no queue"),
    ],
)
@pytest.mark.parametrize(
    "told",
    [cache, lambda environment: varnish.configuration(read(environment), ["10.0.0.2"])],
    ids=["nginx", "varnish"],
)
def test_what_only_haproxy_can_is_refused(
    told: Callable[[dict[str, str]], str], environment: dict[str, str], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        told(environment)


def test_nginx_is_a_cache_where_it_is_told_so() -> None:
    proxy = nginx.configuration(read({"SERVERS": "a", "CACHE": "off"}))
    assert "stream {" in proxy and "proxy_cache" not in proxy
    assert "stream {" not in cache({"SERVERS": "a"}) and "proxy_cache edge;" in cache({"SERVERS": "a"})
    with pytest.raises(SettingsError, match=r"^CACHE='yes': must be on or off$"):
        read({"SERVERS": "a", "CACHE": "yes"})


def test_varnish_refuses_a_balance_that_it_has_not() -> None:
    with pytest.raises(SettingsError, match="BALANCE='leastconn': must be roundrobin"):
        varnish.configuration(read({"SERVERS": "a", "BALANCE": "leastconn"}), ["10.0.0.2"])
