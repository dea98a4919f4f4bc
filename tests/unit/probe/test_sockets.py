"""The accept queue is the listener's receive queue; counters come from the namespace's own tables."""

from pathlib import Path

from probe.sockets import Counters, Sockets, parse_listeners, read_head
from tests.unit.probe.trees import NETSTAT, SNMP, tcp_table, write


def net(tmp_path: Path, **tables: str) -> Path:
    write(tmp_path / "1/net", {"netstat": NETSTAT, "snmp": SNMP, **tables})
    return tmp_path


def test_overflows_drops_and_connections_are_the_kernels_own_counts(tmp_path: Path) -> None:
    sockets = Sockets(net(tmp_path), 8081)
    assert sockets.read() == Counters(established=12, listen_overflows=4, listen_drops=6)


def test_the_queue_is_that_of_the_servers_port_summed_over_its_listeners(tmp_path: Path) -> None:
    table = tcp_table(("B27C", "0A", 7), ("1F91", "0A", 16), ("1F91", "0A", 2), ("1F91", "01", 400))
    assert Sockets(net(tmp_path, tcp=table), 8081).accept_queue() == 18


def test_a_server_on_ipv6_is_found_in_the_other_table(tmp_path: Path) -> None:
    six = tcp_table(("1F91", "0A", 3)).replace("00000000:1F91", "0" * 32 + ":1F91")
    assert Sockets(net(tmp_path, tcp=tcp_table(), tcp6=six), 8081).accept_queue() == 3


def test_while_nobody_listens_the_queue_is_unknown_and_not_empty(tmp_path: Path) -> None:
    sockets = Sockets(net(tmp_path, tcp=tcp_table(("1F90", "0A", 0))), 8081)
    assert sockets.accept_queue() is None
    assert sockets.unavailable["accept_queue"] == "nobody listens on port 8081"
    net(tmp_path, tcp=tcp_table(("1F91", "0A", 0)))
    assert sockets.accept_queue() == 0
    assert "accept_queue" not in sockets.unavailable


def test_a_long_table_is_left_alone_after_its_listeners(tmp_path: Path) -> None:
    table = tcp_table(*[("1F91", "0A", 1)] * 40, *[("1F91", "01", 0)] * 10_000)
    head = read_head(net(tmp_path, tcp=table) / "1/net/tcp")
    listeners, goes_on = parse_listeners(head)
    assert (len(listeners), goes_on) == (40, True)
    assert len(head) < 50 * 150


def test_tables_that_cannot_be_read_are_unknown_with_the_reason(tmp_path: Path) -> None:
    sockets = Sockets(tmp_path, 8081)
    assert sockets.read() == Counters(None, None, None)
    assert sockets.accept_queue() is None
    assert set(sockets.unavailable) == {"established", "listen_overflows", "listen_drops", "accept_queue"}
    assert "No such file or directory" in sockets.unavailable["accept_queue"]
