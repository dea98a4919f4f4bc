"""The listening socket, what its errors mean, and the options of accepted ones."""

import errno
import math
import socket
import struct

# A blocking accept or recv in the main thread returns at least this often. A signal that lands between the
# interpreter's last look and the system call would otherwise go unnoticed until a client does something.
TICK_S = 1.0
# accept fails so when the listener was shut down (by this process or by the one it is shared with) or closed.
LISTENER_GONE = frozenset({errno.EINVAL, errno.EBADF})
# Out of descriptors or memory: the connection stays in the backlog, so trying again at once would spin.
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ListenError(OSError):
    """The address cannot be listened on. The message is one line."""


def open_listeners(host: str, port: int, backlog: int, count: int) -> list[socket.socket]:
    """So many listening sockets on one port (0: the kernel chooses it), each with a queue of its own.

    The kernel gives a new connection to one of them, by a hash of its addresses. Raises ListenError.
    """
    if count == 1:
        return [open_listener(host, port, backlog)]
    # Another server that shares its port would share it with us, too, and get half of our clients: so first alone.
    with open_listener(host, port, None) as alone:
        port = alone.getsockname()[1]
    return [open_listener(host, port, backlog, shared=True) for _ in range(count)]


def open_listener(host: str, port: int, backlog: int | None, shared: bool = False) -> socket.socket:
    """A listening TCP socket on ``host:port`` (0: the kernel chooses the port). Raises ListenError.

    ``shared``: others of this user may listen on the port as well. Without a backlog it does not listen, and only keeps
    the port.
    """
    listener: socket.socket | None = None
    try:
        # As bytes: text would be encoded by a module of the standard library that every fork would copy.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.encode(), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
        listener = socket.socket(family, kind, protocol)
        # A restart must not wait for connections of the last run in TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        if backlog is not None:
            listener.listen(backlog)
    except (OSError, UnicodeError) as failure:
        if listener is not None:
            listener.close()
        raise ListenError(_reason(host, port, failure)) from failure
    set_receive_timeout(listener, TICK_S)
    return listener


def set_receive_timeout(sock: socket.SocketType, seconds: float) -> None:
    """Bound a blocking receive (or accept) in the kernel: ``settimeout`` would cost a poll per call. 0: no bound."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))


def set_send_timeout(sock: socket.SocketType, seconds: float) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))


def set_nodelay(sock: socket.SocketType) -> None:
    # Replies are whole when they are sent: holding them back for more (Nagle) only adds latency.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _timeval(seconds: float) -> bytes:
    microseconds = math.ceil(seconds * 1_000_000)  # rounded up: 0 would mean "no bound"
    return struct.pack("ll", *divmod(microseconds, 1_000_000))


def _reason(host: str, port: int, failure: OSError | UnicodeError) -> str:
    number = getattr(failure, "errno", None)
    if number == errno.EADDRINUSE:
        return f"PORT={port}: already in use on {host}; stop what listens there or choose another (0: any free one)"
    if number == errno.EACCES:
        return f"PORT={port}: not allowed for this user; choose one from 1024 to 65535"
    return f"HOST={host!r}, PORT={port}: cannot listen: {getattr(failure, 'strerror', None) or failure}"
