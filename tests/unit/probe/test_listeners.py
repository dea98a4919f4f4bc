"""The accept queue as the kernel tells it over netlink, from this machine's own kernel."""

import socket
import struct
from pathlib import Path

import pytest

from probe.listeners import Queue, parse, read, shares_namespace
from tests.waiting import wait_until


def test_waiting_connections_and_the_limit_are_the_sockets_own() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(7)
        port = listener.getsockname()[1]
        assert read(port) == Queue(0, 7)
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        try:
            wait_until(lambda: read(port) == Queue(3, 7), "three connections in the queue")
            listener.accept()[0].close()
            assert read(port) == Queue(2, 7)
        finally:
            for client in clients:
                client.close()


def test_sockets_that_share_a_port_are_added_up_and_other_ports_are_not() -> None:
    with socket.socket() as first, socket.socket() as second, socket.create_server(("127.0.0.1", 0), backlog=5):
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen(3)
        second.listen(4)
        assert read(first.getsockname()[1]) == Queue(0, 7)


def test_where_nobody_listens_there_is_no_queue() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert read(bound.getsockname()[1]) is None


def test_a_refusal_is_an_error_and_not_an_empty_queue() -> None:
    refusal = struct.pack("=IHHIIi", 20, 2, 0, 0, 0, -1)
    with pytest.raises(PermissionError):
        parse(refusal, 8081)


def test_the_namespace_is_compared_with_that_of_pid_1(tmp_path: Path) -> None:
    for name in ("self", "1", "2"):
        (tmp_path / name / "ns").mkdir(parents=True)
    (tmp_path / "2/ns/net").write_text("")
    (tmp_path / "1/ns/net").symlink_to(tmp_path / "2/ns/net")
    (tmp_path / "self/ns/net").write_text("")
    assert not shares_namespace(str(tmp_path))
    (tmp_path / "self/ns/net").unlink()
    assert not shares_namespace(str(tmp_path))
    (tmp_path / "self/ns/net").symlink_to(tmp_path / "2/ns/net")
    assert shares_namespace(str(tmp_path))
