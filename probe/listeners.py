"""The accept queue and its limit, asked of the kernel directly where the probe shares the server's network namespace.

The same as `ss -ltn` asks, by netlink: the kernel walks only its listening sockets, however many connections there are,
and tells the limit, which stands in no file. Source: sock_diag(7), and linux/inet_diag.h.
"""

import os
import socket
import struct
from dataclasses import dataclass

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST_DUMP = 0x301
_DONE, _ERROR = 3, 2
_LISTEN_MASK = 1 << 10
_HEADER = struct.Struct("=IHHII")
# Family, protocol, extensions, padding, states; then the socket's identity, which a dump leaves empty.
_QUERY = struct.Struct("=BBBBI48x")
# Family, state, timer, retransmits; source port; the rest of the identity; expiry, receive queue, send queue.
_ANSWER = struct.Struct("=BBBB2s46xIII")
_TIMEOUT_S = 0.2


@dataclass(frozen=True, slots=True)
class Queue:
    """Over all sockets that listen on a port. `waiting`: connections to be accepted. `limit`: how many may wait."""

    waiting: int
    limit: int


def shares_namespace(proc: str = "/proc", first: int = 1) -> bool:
    """Whether this process is in the network namespace of the server's first process."""
    try:
        # Two names of one namespace lead to the same inode.
        return os.stat(f"{proc}/self/ns/net").st_ino == os.stat(f"{proc}/{first}/ns/net").st_ino  # noqa: PTH116
    except OSError:
        return False


def parse(messages: bytes, port: int) -> tuple[list[Queue], bool]:
    """The queues of sockets on this port in one datagram of answers, and whether it was the last. OSError: refused."""
    found: list[Queue] = []
    while len(messages) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(messages)
        if kind == _DONE or length < _HEADER.size:
            return found, True
        if kind == _ERROR:
            (negative,) = struct.unpack_from("=i", messages, _HEADER.size)
            raise OSError(-negative, os.strerror(-negative))
        _, _, _, _, source, _, waiting, limit = _ANSWER.unpack_from(messages, _HEADER.size)
        if int.from_bytes(source, "big") == port:
            found.append(Queue(waiting, limit))
        messages = messages[(length + 3) & ~3 :]
    return found, False


def read(port: int) -> Queue | None:
    """The queue now; None where nobody listens. OSError where the kernel does not answer."""
    found: list[Queue] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
        link.settimeout(_TIMEOUT_S)
        for family in (socket.AF_INET, socket.AF_INET6):
            query = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0, _LISTEN_MASK)
            link.send(_HEADER.pack(_HEADER.size + len(query), _BY_FAMILY, _REQUEST_DUMP, 0, 0) + query)
            over = False
            while not over:
                queues, over = parse(link.recv(65_536), port)
                found += queues
    return Queue(sum(queue.waiting for queue in found), sum(queue.limit for queue in found)) if found else None
