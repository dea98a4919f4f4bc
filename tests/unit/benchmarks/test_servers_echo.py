"""Which servers are measured how, and that ratios are of one round."""

import os
import socket

import pytest

from benchmarks.common import Spread
from benchmarks.servers_echo import IN_C, MODES, REFERENCES, command_of, connections_of, running, table
from servers.models import SERVERS
from tests.waiting import wait_until

NAMES = (*SERVERS, *REFERENCES, IN_C)
CORE = min(os.sched_getaffinity(0))


def test_a_server_is_driven_on_no_more_open_connections_than_it_serves_at_once() -> None:
    assert {
        name: connections_of(name, "persistent")
        for name in ("spst", "prefork", "prefork-reuseport", "thread-pool", "spmt")
    } == {
        "spst": 1,
        "prefork-reuseport": 1,
        "prefork": 2,
        "thread-pool": 16,
        "spmt": 16,
    }
    assert {connections_of(name, "persistent") for name in REFERENCES} == {16}
    assert {connections_of(name, "per-request") for name in NAMES} == {16}


def test_each_server_and_each_ratio_has_a_row() -> None:
    rates = {(name, mode): [100.0, 300.0] for name in NAMES for mode in MODES}
    rates["event-loop-uvloop", "persistent"] = [250.0, 600.0]
    found = table(rates, "command")
    rows = {row[0]: row[1:] for row in found.rows}
    assert set(NAMES) < set(rows)
    assert rows["event-loop"] == (Spread(200.0, 100.0, 300.0),) * 2
    assert rows["event-loop-uvloop / event-loop"] == (Spread(2.25, 2.0, 2.5), Spread(1.0, 1.0, 1.0))
    assert {name for row in rows if " / " in str(row) for name in str(row).split(" / ")} <= set(NAMES)


@pytest.mark.parametrize("name", ["spmt", "bare_threaded", "naive_fork", "forking_tcp_server"])
def test_a_server_and_a_reference_echo_on_the_port_that_is_found(name: str) -> None:
    with running(command_of(name), CORE) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"
        client.close()
    # What a reference leaves behind is killed, and may have the socket for a moment more.
    wait_until(lambda: is_refused(port), "nobody to listen any more")


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    return False


def test_what_does_not_start_is_one_line_that_says_what_to_try() -> None:
    with (
        pytest.raises(RuntimeError, match=r"did not start: try .* -m servers spxt$"),
        running(command_of("spxt"), CORE),
    ):
        pass
