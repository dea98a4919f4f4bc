"""Admission and refusal, with real sockets and failures that cannot be brought about from outside."""

import _thread
import os
import signal
import socket
from collections.abc import Iterator

import pytest

from servers.config import read_config
from servers.connection import Connection
from servers.counters import Counters, Totals
from servers.face import LINES
from servers.listener import ListenError, open_listener, open_listeners
from servers.models import mpst, spmt
from servers.server import Server

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def server() -> Iterator[Server]:
    config = read_config({"HOST": "127.0.0.1", "MAX_CONNECTIONS": "2"}, cpus=1.0)
    with open_listener("127.0.0.1", 0, 16) as listener:
        yield Server("spst", config, listener, Counters(rows=3), face=LINES)


@pytest.fixture
def client(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(server.listener.getsockname(), 10) as sock:
        yield sock


def test_a_thread_that_cannot_be_started_refuses_the_client(
    server: Server, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        server.draining = True  # ends the accept loop after this connection
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fail)
    spmt.serve(server)
    assert client.recv(100) == b"!error server is full: 0 connections\n"
    assert client.recv(100) == b""
    assert server.counters.totals() == Totals(refused=1)


def test_a_process_that_cannot_be_forked_refuses_the_client(
    server: Server, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        server.draining = True
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fail)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    mpst.serve(server)
    assert client.recv(100) == b"!error server is full: 0 connections\n"
    assert client.recv(100) == b""
    assert server.counters.totals() == Totals(refused=1)
    assert server.counters.open() == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def test_a_connection_accepted_at_the_instant_of_the_stop_is_ended(server: Server, client: socket.socket) -> None:
    connection = Connection(*server.listener.accept())
    server.draining = True  # the stop has looked for open connections already
    assert server.admit(connection)
    assert connection.sock.recv(1) == b""
    server.leave(connection)
    connection.sock.close()


def test_a_bug_in_serving_one_connection_is_counted_and_goes_no_further(
    server: Server, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    connection = Connection(*server.listener.accept())
    assert server.admit(connection)
    monkeypatch.setattr("servers.face.Lines.converse", fail)
    server.handle(connection)
    assert server.counters.totals() == Totals(accepted=1, errors=1)
    assert client.recv(1) == b""


def test_the_backlog_reaches_listen_and_addresses_can_be_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(socket.socket, "listen", lambda _, backlog: asked.append(backlog))
    with open_listener("127.0.0.1", 0, 77) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    assert asked == [77]


def test_several_listeners_share_a_port_with_each_other_and_with_nobody_else() -> None:
    first, *others = open_listeners("127.0.0.1", 0, 5, 3)
    port = first.getsockname()[1]
    try:
        assert [one.getsockname()[1] for one in others] == [port, port]
        for count in (1, 2):
            with pytest.raises(ListenError, match=f"PORT={port}: already in use"):
                open_listeners("127.0.0.1", port, 5, count)
    finally:
        for one in (first, *others):
            one.close()


def test_a_worker_keeps_its_own_socket_and_closes_the_others() -> None:
    listeners = open_listeners("127.0.0.1", 0, 5, 3)
    server = Server(
        "prefork-reuseport", read_config({}, cpus=1.0), listeners[0], Counters(rows=3), *listeners[1:], face=LINES
    )
    server.accept_on(1)
    with server.listener as kept:
        assert (kept, server.listeners) == (listeners[1], (kept,))
        assert [one.fileno() >= 0 for one in listeners] == [False, True, False]


@pytest.mark.parametrize("host", ["203.0.113.7", "." * 300])
def test_an_address_that_cannot_be_listened_on_is_one_line(host: str) -> None:
    with pytest.raises(ListenError) as failure:
        open_listener(host, 0, 1)
    assert "cannot listen" in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_drain_reads_what_had_arrived_once_more_and_then_ends(
    server: Server, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(*server.listener.accept())
    assert server.admit(connection)
    client.sendall(b"a\n" * 10)
    monkeypatch.setattr("servers.connection.RECEIVE_BYTES", 2)  # one request for each receive
    server.draining = True
    server.handle(connection)
    assert server.counters.totals() == Totals(accepted=1, served=2)
