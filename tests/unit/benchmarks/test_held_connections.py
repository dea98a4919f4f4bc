"""Steps, rounds and reasons of the benchmark of held connections, without a container."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import pytest

from benchmarks import held_connections
from benchmarks.held_connections import Held, reason, settings_of, steps
from servers.models import SERVERS

RUNNING = {"Running": True, "OOMKilled": False, "ExitCode": 0}
SERVED = 5


@pytest.fixture
def address() -> Iterator[tuple[str, int]]:
    """A server that echoes on its first SERVED connections, refuses the next with a line and ignores the others."""
    kept: list[socket.socket] = []

    def echo(connection: socket.socket) -> None:
        with suppress(ConnectionResetError):
            while data := connection.recv(1000):
                connection.sendall(data)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            kept.append(connection)
            if len(kept) <= SERVED:
                threading.Thread(target=echo, args=(connection,), daemon=True).start()
            elif len(kept) == SERVED + 1:
                connection.sendall(b"!error server is full\n")

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)
    for connection in kept:
        connection.close()


def test_steps_go_from_one_to_all_by_a_tenth() -> None:
    found = list(steps(10_000))
    assert (found[0], found[-1]) == (1, 10_000)
    assert all(small < large <= max(small + 1, small * 1.1) for small, large in pairwise(found))
    assert list(steps(1)) == [1]


def test_a_round_counts_who_is_answered_and_remembers_what_the_first_refused_one_saw(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_connections, "_STALL_S", 0.3)
    clients = Held(address)
    try:
        for number in (1, SERVED):
            clients.grow(number)
            assert clients.round() == number
        clients.grow(SERVED + 2)
        assert clients.round() == SERVED
        assert clients.refusal == "!error server is full"
    finally:
        clients.close()


def test_a_server_that_is_gone_is_a_refusal_and_not_a_hang() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    clients = Held(address)
    clients.grow(3)
    assert clients.round() == 0
    assert "refused" in clients.refusal
    clients.close()


def test_the_limit_is_named_by_what_is_known_of_it() -> None:
    killed = {"Running": False, "OOMKilled": True, "ExitCode": 137}
    assert reason(None, 9, "", "", killed, None) == "memory: the server was killed"
    assert reason(None, 9, "", "", {**killed, "OOMKilled": False}, None) == "the server exited with 137"
    lost = "[INFO] process 7 was killed by SIGKILL (out of memory?)\n"
    assert reason(None, 9, "reset", lost, RUNNING, 250.0) == "memory: a process was killed"
    no_thread = "[INFO] cannot serve 10.0.0.1:123: can't start new thread; 90 connections are open\n"
    assert reason(None, 9, "!error", no_thread, RUNNING, 90.0) == "cannot serve more: can't start new thread"
    assert reason(4, 4, "", "", RUNNING, 90.0) == "serves 4 at once, the next waits"
    assert reason(None, 9, "", "", RUNNING, 255.0) == "memory: all of it is in use; no reply for 3 s"
    assert reason(None, 9, "reset", "", RUNNING, None) == "reset"


def test_every_server_has_room_in_its_own_count_for_all_that_are_tried() -> None:
    assert all(int(settings_of(model)["MAX_CONNECTIONS"]) > held_connections.MOST for model in SERVERS)
    assert settings_of("thread-pool")["THREADS"] == "1024"
