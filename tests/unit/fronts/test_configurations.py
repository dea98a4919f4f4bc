"""The configuration of each front. That the programs accept them, tests/parts/test_fronts.py tries."""

import pytest

from fronts import haproxy, nginx
from fronts.settings import SettingsError, read


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_haproxy_knows_its_servers_by_name_and_spare_ones_without_an_address() -> None:
    settings = read({"SERVERS": "a b", "SPARE_SERVERS": "c", "SERVER_MAXCONN": "4", "BALANCE": "leastconn"})
    text = lines(haproxy.configuration(settings))
    assert [line for line in text if line.startswith("server ")] == [
        "server a a:8081 init-addr libc maxconn 4",
        "server b b:8081 init-addr libc maxconn 4",
        "server c 192.0.2.1:8081 disabled maxconn 4",
    ]
    assert "balance leastconn" in text


def test_haproxy_without_a_bound_leaves_waiting_to_the_servers() -> None:
    text = lines(haproxy.configuration(read({"SERVERS": "a"})))
    assert "server a a:8081 init-addr libc" in text
    assert "balance roundrobin" in text and not any("resolvers" in line for line in text)


def test_haproxy_asks_the_engines_dns_for_as_many_addresses_as_there_are_slots() -> None:
    text = lines(haproxy.configuration(read({"SERVERS_DNS": "spmt", "SLOTS": "3"})))
    assert "server-template server- 3 spmt:8081 resolvers engine init-addr none" in text
    assert {"resolvers engine", "parse-resolv-conf", "hold valid 1s", "accepted_payload_size 8192"} <= set(text)


def test_haproxys_limits_leave_room_for_those_who_look() -> None:
    text = lines(haproxy.configuration(read({"SERVERS": "a", "MAXCONN": "100", "THREADS": "2", "BACKLOG": "7"})))
    assert [line for line in text if line.startswith(("maxconn", "nbthread", "bind"))] == [
        *("maxconn 132", "nbthread 2", "bind :8081 backlog 7", "maxconn 100", "bind :8404")
    ]


@pytest.mark.parametrize(("balance", "line"), [("leastconn", "least_conn;"), ("source", "hash $remote_addr;")])
def test_nginx_chooses_as_it_is_told(balance: str, line: str) -> None:
    assert line in lines(nginx.configuration(read({"SERVERS": "a b", "BALANCE": balance})))


def test_nginx_has_a_line_for_each_server_and_room_for_two_connections_of_each_client() -> None:
    text = lines(nginx.configuration(read({"SERVERS": "a b", "MAXCONN": "100", "THREADS": "2", "BACKLOG": "7"})))
    assert [line.split()[1] for line in text if line.startswith("server ") and "{" not in line] == ["a:8081", "b:8081"]
    assert {"worker_processes 2;", "worker_connections 232;", "listen 8081 backlog=7;", "keepalive_timeout 0;"} <= set(
        text
    )
    assert not {"least_conn;", "hash $remote_addr;"} & set(text)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SERVERS_DNS": "spmt"}, "SERVERS_DNS='spmt': nginx looks names up once"),
        ({"SERVERS": "a", "SPARE_SERVERS": "b"}, "SPARE_SERVERS='b': nginx cannot be told of servers later"),
        ({"SERVERS": "a", "SERVER_MAXCONN": "4"}, "SERVER_MAXCONN=4: must be 0: nginx has no queue"),
    ],
)
def test_what_only_haproxy_can_is_refused_by_nginx(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=f"^{says}"):
        nginx.configuration(read(environment))
