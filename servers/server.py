"""What all models share: admission, the accept loop, counting, draining."""

import contextlib
import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

from servers import logs, protocol
from servers.children import Children
from servers.config import Config
from servers.connection import Connection, converse, discard_unread
from servers.counters import Counters
from servers.listener import TICK_S

# accept fails so when the listener was shut down (by this process or by the one it is shared with) or closed.
_LISTENER_GONE = frozenset({errno.EINVAL, errno.EBADF})
# Out of descriptors or memory: the connection stays in the backlog, so trying again at once would spin.
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_ACCEPT_PAUSE_S = 0.1
# Children force their own drain first; only then does the parent kill what is left.
_CHILDREN_GRACE_S = 0.5
_FORCE_REPEAT_S = 0.5


class Server:
    """One server process: the first one, a pool worker, or the child of one connection."""

    def __init__(self, config: Config, listener: socket.socket, counters: Counters) -> None:
        self.config = config
        self.listener = listener
        self.counters = counters
        self.draining = False
        self.children = Children(self)
        self._open: set[Connection] = set()
        # Signal handlers run in between any two lines of the main thread, so they never take this lock.
        self._lock = threading.Lock()
        self._row = 0
        self._parent_pid: int | None = None

    # --- accepting ---

    def connections(self) -> Iterator[Connection]:
        """Accept until the server drains, yielding the connections that may be served."""
        starved = False
        while not self.draining:
            try:
                sock, address = self.listener.accept()
            except BlockingIOError:
                self.tick()
            except OSError as failure:
                if failure.errno in _LISTENER_GONE:
                    self.stop()
                elif failure.errno in _OUT_OF_RESOURCES:
                    if not starved:
                        logs.info(f"cannot accept: {failure.strerror}; {self.counters.open()} connections are open")
                    starved = True
                    time.sleep(_ACCEPT_PAUSE_S)
                # Anything else is an error of the one connection that was about to be accepted (accept(2)).
            else:
                starved = False
                connection = Connection(sock, address)
                if self.admit(connection):
                    yield connection
                else:
                    self._turn_away(connection)

    def admit(self, connection: Connection) -> bool:
        """Take a connection into service, or count it as refused when the server is full."""
        with self._lock:
            if self.counters.open() >= self.config.max_connections:
                self.counters.add(self._row, refused=1)
                return False
            self._open.add(connection)
            self.counters.add(self._row, accepted=1)
            self.counters.set_open(self._row, len(self._open))
        if self.draining:  # the stop came between accept and here, and did not see this connection
            connection.shut_read()
        return True

    @contextlib.contextmanager
    def refuse_on_failure(self, connection: Connection) -> Iterator[None]:
        """Turn the connection away if the thread or process that should serve it cannot be started."""
        try:
            yield
        except (OSError, RuntimeError, MemoryError) as failure:
            logs.info(f"cannot serve {connection.peer}: {failure}; {self.counters.open()} connections are open")
            self._forget(connection)
            with self._lock:
                self.counters.add(self._row, accepted=-1, refused=1)
            self._turn_away(connection)

    def _turn_away(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # the client is gone already
            connection.sock.send(protocol.full(self.counters.open()), socket.MSG_DONTWAIT)
        discard_unread(connection.sock)
        connection.sock.close()

    # --- serving ---

    def handle(self, connection: Connection) -> None:
        """Serve a connection to its end and close it."""
        # The main thread must look at its signals now and then; other threads can wait for as long as a client may.
        in_main_thread = threading.current_thread() is threading.main_thread()
        idle_timeout_s = self.config.idle_timeout_s
        receive_timeout_s = min(TICK_S, idle_timeout_s or TICK_S) if in_main_thread else idle_timeout_s
        try:
            converse(self, connection, receive_timeout_s)
        except Exception as failure:  # noqa: BLE001 - one connection's bug must not end the others
            connection.fault(f"was dropped: {type(failure).__name__}: {failure}")
        finally:
            self.leave(connection)
            connection.sock.close()

    def fork_to_handle(self, connection: Connection) -> None:
        """Serve a connection in a child process made for it. Raises OSError if there can be none."""

        def serve_one() -> None:
            self.listener.close()
            self.handle(connection)

        self.children.fork(serve_one, open_connections=1)
        self._forget(connection)
        connection.sock.close()

    def leave(self, connection: Connection) -> None:
        """The connection has ended: add its counts to the server's."""
        with self._lock:
            self._open.discard(connection)
            self.counters.add(self._row, served=connection.served, errors=connection.errors)
            self.counters.set_open(self._row, len(self._open))

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._open.discard(connection)
            self.counters.set_open(self._row, len(self._open))

    @property
    def open_here(self) -> int:
        """Connections open in this process."""
        return len(self._open)

    # --- counting what goes wrong ---

    def count_replaced(self) -> None:
        with self._lock:
            self.counters.add(self._row, replaced=1)

    # --- stopping; these run in signal handlers and take no lock ---

    def stop(self, *_: object) -> None:
        """Drain: accept no more, let every open connection finish what is in flight, bounded by DRAIN_TIMEOUT."""
        if self.draining:
            return
        self.draining = True
        if self._parent_pid is None:
            logs.info(f"Stopping: {self.counters.open()} connections open, {self.config.drain_timeout_s:g} s to finish")
            self._shut_listener()
        bound_s = self.config.drain_timeout_s + (_CHILDREN_GRACE_S if self.children else 0.0)
        # Repeated, because one alarm could land just before a system call that then blocks.
        signal.setitimer(signal.ITIMER_REAL, max(bound_s, 0.001), _FORCE_REPEAT_S)
        self.children.send(signal.SIGTERM)
        for connection in list(self._open):
            connection.shut_read()

    def force(self, *_: object) -> None:
        """End this process at once; what its open connections have counted is not lost."""
        self.children.kill()
        if self._open:
            logs.info(f"DRAIN_TIMEOUT of {self.config.drain_timeout_s:g} s is over: {len(self._open)} connections cut")
        for connection in list(self._open):
            self.counters.add(self._row, served=connection.served, errors=connection.errors)
        if self._parent_pid is None:
            self.log_totals()
        os._exit(0)

    def finish(self) -> None:
        """Wait until every connection and every child of a draining server has ended."""
        while self._open:
            time.sleep(0.01)
        self.children.wait()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def tick(self) -> None:
        """Called at least every TICK_S by a main thread that blocks: a child whose parent was killed must not stay."""
        if self._parent_pid is not None and os.getppid() != self._parent_pid:
            self.stop()

    def log_totals(self) -> None:
        totals = self.counters.totals()
        if totals.replaced:
            logs.info(f"Workers replaced: {totals.replaced}")
        logs.info(
            f"Server stopped: accepted {totals.accepted}, served {totals.served}, "
            f"refused {totals.refused}, errors {totals.errors}"
        )

    def _shut_listener(self) -> None:
        # Wakes a blocked accept, in every process that shares this socket.
        with contextlib.suppress(OSError):  # closed, or an asyncio server has taken it over
            self.listener.shutdown(socket.SHUT_RDWR)

    # --- after fork ---

    def become_child(self, row: int, parent_pid: int) -> None:
        """Make this copy of the server, just forked with its signals blocked, a process of its own."""
        self._row = row
        self._parent_pid = parent_pid
        self._lock = threading.Lock()
        self.draining = False
        self.children = Children(self)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.stop)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, self.force)
