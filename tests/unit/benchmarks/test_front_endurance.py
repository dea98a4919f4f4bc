"""What the kernel says of connections that wait is read, or not known."""

from benchmarks.front_endurance import waiting_ports

SOCKSTAT = """\
sockets: used 12
TCP: inuse 66 orphan 3 tw 28021 alloc 70 mem 4
UDP: inuse 0 mem 0
"""


def test_connections_in_time_wait_are_found() -> None:
    assert waiting_ports(SOCKSTAT) == 28021
    assert waiting_ports("sockets: used 12\n") is None
