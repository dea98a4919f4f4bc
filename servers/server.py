"""What all models share: admission, the accept loop, counting, draining.

All of it in one class, because it works on the same few fields: a stop comes between any two lines of the rest, and
what it then finds has to be right without a lock.
"""

import _thread
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from servers import logs
from servers.children import Children
from servers.config import Config
from servers.connection import Connection, discard_unread
from servers.counters import ADDS_IN_ONE_STEP, Counters, Tenure
from servers.listener import LISTENER_GONE, OUT_OF_RESOURCES, TICK_S, set_nodelay, set_send_timeout
from servers.report import report_line

if TYPE_CHECKING:
    from servers.behind.process import Behind
    from servers.face import Face
    from servers.shared import SharedCount

_ACCEPT_PAUSE_S = 0.1
STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
# Children force their own drain first; only then does the parent kill what is left.
_CHILDREN_GRACE_S = 0.5
_FORCE_REPEAT_S = 0.5
# A reply that is being handed to the kernel when the drain is over gets this long to be counted: less than the
# children's grace.
_SETTLE_S = 0.3
_SETTLE_STEP_S = 0.01


class Server:
    """One server process: the first one, a pool worker, or the child of one connection."""

    def __init__(
        self,
        model: str,
        config: Config,
        listener: socket.socket,
        counters: Counters,
        *more: socket.socket,
        face: "Face",
        behind: "Behind | None" = None,
    ) -> None:
        """``more``: further listeners on the same port, of a model whose workers have one each."""
        self.model = model
        self.config = config
        self.listener = listener  # the one that this process accepts on
        self.listeners = (listener, *more)
        self.counters = counters
        self.behind = behind
        self.face = face
        self.draining = False
        self.children = Children(self)
        self._cells = counters.cells
        self.shared: SharedCount | None = None
        if config.shared_counter:
            from servers import shared  # here: nobody else pays for it

            self.shared = shared.SharedCount()
        self._open: set[Connection] = set()
        # Signal handlers run in between any two lines of the main thread, so they never take this lock.
        # Of _thread, not threading: importing that one makes each fork some 0.4 ms dearer (its after-fork work touches
        # memory that is then copied), which a process per connection would pay for every client.
        self._lock = _thread.allocate_lock()
        self._main_thread = _thread.get_ident()
        self._row = 0
        self._thread_rows: dict[int, int] = {}
        self._pid = os.getpid()
        self._parent_pid: int | None = None
        self._cut_at: float | None = None
        self._started_at = time.monotonic()
        # Accepted connections inherit these from the listener: two system calls less for each of them.
        for each in self.listeners:
            set_nodelay(each)
            set_send_timeout(each, config.idle_timeout_s)
        self.workers: list[Tenure] = []  # of the pool models, also those that have been replaced

    # --- accepting ---

    def connections(self) -> Iterator[Connection]:
        """Accept until the server drains, yielding the connections that may be served."""
        starved = False
        # What socket.accept makes of each connection is an object that knows its family and kind as enums, for which it
        # takes longer than the kernel. The class below it does all that is needed here.
        accept = self.listener._accept  # type: ignore[attr-defined]  # noqa: SLF001
        family, kind, number = int(self.listener.family), int(self.listener.type), self.listener.proto
        while not self.draining:
            try:
                descriptor, address = accept()
            except BlockingIOError:
                self.tick()
            except OSError as failure:
                if failure.errno in LISTENER_GONE:
                    self.stop()
                elif failure.errno in OUT_OF_RESOURCES:
                    if not starved:
                        logs.info(f"cannot accept: {failure.strerror}; {self.counters.open()} connections are open")
                    starved = True
                    time.sleep(_ACCEPT_PAUSE_S)
                # Anything else is an error of the one connection that was about to be accepted (accept(2)).
            else:
                starved = False
                connection = Connection(socket.SocketType(family, kind, number, descriptor), address)
                if self.admit(connection):
                    yield connection
                else:
                    self._turn_away(connection)

    def admit(self, connection: Connection) -> bool:
        """Take a connection into service, or count it as refused when the server is full."""
        self._count_in_row(connection, self._thread_rows.get(_thread.get_ident(), self._row))
        with self._lock:
            if self.counters.open() >= self.config.max_connections:
                self.counters.add(self._row, refused=1)
                return False
            self._open.add(connection)
            self.counters.add(connection.row, accepted=1)
            self.counters.set_open(self._row, len(self._open))
        if self.draining:  # the stop came between accept and here, and did not see this connection
            connection.shut_read()
        return True

    def hand_over(self, connection: Connection, start: Callable[[Connection], object]) -> None:
        """Have the thread or process that ``start`` makes serve it. Turned away if there can be none."""
        try:
            start(connection)
        except (OSError, RuntimeError, MemoryError) as failure:
            logs.info(f"cannot serve {connection.peer}: {failure}; {self.counters.open()} connections are open")
            self.leave(connection)
            with self._lock:
                self.counters.add(self._row, accepted=-1, refused=1)
            self._turn_away(connection)

    def full(self) -> bytes:
        """What a client is told who is not served because so many are."""
        return self.face.full(self.counters.open())

    def _turn_away(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # the client is gone already
            connection.sock.send(self.full(), socket.MSG_DONTWAIT)
        discard_unread(connection.sock)
        connection.sock.close()

    # --- serving ---

    def handle(self, connection: Connection) -> None:
        """Serve a connection to its end and close it."""
        # The main thread must look at its signals now and then; other threads can wait for as long as a client may.
        in_main_thread = _thread.get_ident() == self._main_thread
        idle_timeout_s = self.config.idle_timeout_s
        receive_timeout_s = min(TICK_S, idle_timeout_s or TICK_S) if in_main_thread else idle_timeout_s
        try:
            self.face.converse(self, connection, receive_timeout_s)
        except Exception as failure:  # noqa: BLE001 - one connection's bug must not end the others
            self.fault(connection, f"was dropped: {type(failure).__name__}: {failure}")
        finally:
            self.leave(connection)
            connection.sock.close()

    def thread_to_handle(self, connection: Connection) -> None:
        """Serve a connection in a detached thread made for it. Raises RuntimeError if there can be none."""
        # Not threading.Thread: the caller would wait until the thread runs, and keep a list of all of them.
        _thread.start_new_thread(self._handle_in_thread, (connection,))

    def _handle_in_thread(self, connection: Connection) -> None:
        began_ns = time.monotonic_ns()
        self.handle(connection)  # raises nothing
        if self.counters.ended.is_due(began_ns):
            self.count_this_thread()

    def fork_to_handle(self, connection: Connection) -> None:
        """Serve a connection in a child process made for it. Raises OSError if there can be none."""
        self.children.fork(self.handle_alone, connection, worker=False)
        self.leave(connection)
        connection.sock.close()

    def handle_alone(self, connection: Connection) -> None:
        """Serve a connection in a process that does nothing else."""
        os.close(self.listener.fileno())
        self._count_in_row(connection, self._row)
        self.handle(connection)

    def leave(self, connection: Connection) -> None:
        """The connection has ended, or is another process's now."""
        with self._lock:
            self._open.discard(connection)
            self.counters.set_open(self._row, len(self._open))

    @property
    def open_here(self) -> int:
        """Connections open in this process."""
        return len(self._open)

    # --- counting, at once and in shared memory: a process that is killed takes nothing with it ---

    def count_in(self, row: int) -> None:
        """Count what the calling thread accepts and serves from now on in a row of its own."""
        self._thread_rows[_thread.get_ident()] = row

    def _count_in_row(self, connection: Connection, row: int) -> None:
        connection.row = row
        connection.served_cell = self.counters.served_cell(row)

    def count_served(self, connection: Connection, requests: int) -> None:
        if ADDS_IN_ONE_STEP:
            self._cells[connection.served_cell] += requests
        else:
            with self._lock:
                self._cells[connection.served_cell] += requests
        if self.shared is not None:
            self.shared.add(requests)

    def count_error(self, connection: Connection) -> None:
        with self._lock:
            self.counters.add(connection.row, errors=1)

    def fault(self, connection: Connection, message: str) -> None:
        """Count and log that the connection ended badly, unless it was this server that cut it."""
        if self._cut_at is not None:
            return
        self.count_error(connection)
        logs.info(f"{connection.peer} {message}")

    def count_this_thread(self) -> None:
        """The last thing that a thread does: what it has used would otherwise be gone with it."""
        with self._lock:
            self.counters.ended.this_thread(self._row, len(self._open))

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
            self._shut_listeners()
        bound_s = self.config.drain_timeout_s + (_CHILDREN_GRACE_S if self.children else 0.0)
        # Repeated, because one alarm could land just before a system call that then blocks.
        signal.setitimer(signal.ITIMER_REAL, max(bound_s, 0.001), _FORCE_REPEAT_S)
        self.children.send(signal.SIGTERM)
        for connection in list(self._open):
            connection.shut_read()

    def force(self, *_: object) -> None:
        """End this process at once, but for replies that are on their way to the kernel: they are counted first."""
        self.children.kill()
        cut = list(self._open)
        if self._cut_at is None:
            self._cut_at = time.monotonic()
            if cut:
                logs.info(f"DRAIN_TIMEOUT of {self.config.drain_timeout_s:g} s is over: {len(cut)} connections cut")
        for connection in cut:
            connection.shut()
        if any(connection.sending for connection in cut) and time.monotonic() < self._cut_at + _SETTLE_S:
            # Perhaps by the very code that this handler has interrupted, so it can only come back later.
            signal.setitimer(signal.ITIMER_REAL, _SETTLE_STEP_S, _SETTLE_STEP_S)
            return
        if self._parent_pid is None:
            self.log_totals()
        os._exit(0)

    def finish(self) -> None:
        """Wait until every connection and every child of a draining server has ended."""
        while self._open:
            time.sleep(0.01)
        self.children.wait()
        if self.draining:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def tick(self) -> None:
        """Called at least every TICK_S by a main thread that blocks: a child whose parent was killed must not stay."""
        if self._parent_pid is not None and os.getppid() != self._parent_pid:
            self.stop()

    def log_totals(self) -> None:
        totals = self.counters.totals()
        if totals.replaced:
            logs.info(f"Workers replaced: {totals.replaced}")
        if self.shared is not None:
            logs.info(f"Counted in common: {self.shared.value}")
        workers = [worker.counts() for worker in self.workers]
        logs.last(
            report_line(
                self.model,
                totals,
                workers,
                time.monotonic() - self._started_at,
                None if self.behind is None else self.behind.counts.totals(),
            ),
            f"Server stopped: accepted {totals.accepted}, served {totals.served}, "
            f"refused {totals.refused}, errors {totals.errors}",
        )

    def _shut_listeners(self) -> None:
        # Wakes a blocked accept, in every process that shares this socket.
        for listener in self.listeners:
            with contextlib.suppress(OSError):  # closed, or an asyncio server has taken it over
                listener.shutdown(socket.SHUT_RDWR)

    # --- after fork ---

    def accept_on(self, place: int) -> None:
        """Of all listeners keep only this one, by its place from 0: nobody else accepts on it."""
        self.listener = self.listeners[place]
        for other in self.listeners:
            if other is not self.listener:
                other.close()
        self.listeners = (self.listener,)

    def become_child(self, row: int) -> None:
        """Make this copy of the server, just forked with its signals blocked, a process of its own."""
        # Kept short: a process per connection does it for every client. The signal handlers are inherited and are
        # methods of this very object; the lock is free, since who forks has no other thread.
        self._row = row
        if self.behind is not None:
            self.behind = self.behind.in_child(row)
        self._parent_pid, self._pid = self._pid, os.getpid()
        self.draining = False
        self.children = Children(self)
