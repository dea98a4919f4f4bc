"""Idle holders: connections that get one request echoed when they are opened, which shows that the server serves them,
and are silent from then on. They cost the server whatever a connection costs it, and are no users.

All holders of a process wait in one epoll, without a greenlet each: ten thousand that are silent cost it nothing. A
server that cannot hold them is not asked for ever: a holder is tried and opened again so many times at most, and all
end together where `Patience` does.
"""

from __future__ import annotations

import os
import socket
from collections import Counter, deque
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import gevent
from gevent.event import Event
from gevent.monkey import get_original
from gevent.socket import wait_read

from loadtests.client import Address
from loadtests.destination import Destination
from loadtests.replies import (
    BadEchoError,
    ConnectError,
    EchoError,
    FramingError,
    RefusedError,
    ResetError,
    SilenceError,
)
from loadtests.wire.lines import Lines
from loadtests.wire.protocols import Wire
from loadtests.worker.patience import OPENING_AT_ONCE, PAUSE_S, REOPENINGS, TRIES, Patience

_PAYLOAD = b"holder"

_epoll = get_original("select", "epoll")
_socket = get_original("socket", "socket")
_READABLE, _WRITABLE = 1, 4
"""EPOLLIN and EPOLLOUT; gevent takes epoll and its constants out of the module `select`."""
_MOST_EVENTS = 256


class _Holder:
    """One holder's connection, if it has one."""

    __slots__ = ("address", "asked", "connecting", "received", "reopenings", "socket", "tries")

    def __init__(self) -> None:
        self.socket: Any = None
        self.address: Address | None = None
        self.connecting = False
        self.asked = False
        """Its request is sent and not answered."""
        self.received = b""
        self.tries = 0
        self.reopenings = 0


class Holders:
    """`wanted` connections, opened in the background, `at_once` at a time."""

    def __init__(
        self,
        destination: Destination | None,
        wanted: int,
        at_once: int = OPENING_AT_ONCE,
        wire: Wire | None = None,
    ) -> None:
        """`wire`: lines if not given."""
        self.wanted = wanted
        self.opened = 0
        """How many were held when the opening was over."""
        self.dropped = 0
        """Times a held connection ended although nobody here closed it."""
        self.echoes = 0
        """Requests the server has echoed."""
        self.unanswered = 0
        """Requests sent whose echo never came: the server may have counted each, or not."""
        self.failures: Counter[str] = Counter()
        """Tries that did not end in an echo, by the name of what was wrong."""
        self.said = ""
        """What the first failure of the most telling kind said."""
        self.settled = Event()
        """All are held, or those that are not have been given up."""
        self._destination = destination
        self._wire = wire or Lines()
        self._request = self._wire.request(_PAYLOAD)
        self._at_once = at_once
        self._fresh = wanted if destination is not None else 0
        self._again: deque[tuple[float, _Holder]] = deque()
        self._under_way: dict[int, _Holder] = {}
        self._held: dict[int, _Holder] = {}
        self._unbroken: set[_Holder] = set()
        self._patience = Patience(wanted, perf_counter())
        self._poller: Any = None
        self._keeper: gevent.Greenlet | None = None
        if self._fresh:
            self._poller = _epoll()
            self._keeper = gevent.spawn(self._keep)
        else:
            if wanted:
                self.failures[ConnectError.kind] += wanted
                self.said = "unknown host"
            self.settled.set()

    @property
    def connections(self) -> dict[str, int]:
        """How many were made to each address."""
        return {} if self._destination is None else self._destination.connections

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def unbroken(self) -> int:
        """Of those that were held at `mark`, how many have been ever since."""
        return len(self._unbroken)

    def mark(self) -> None:
        """The window opens: from now on a connection counts that is not broken."""
        self._unbroken = set(self._held.values())

    def close(self) -> None:
        """Close them all, which is not dropping them; harmless when they are closed."""
        if self._keeper is not None:
            self._keeper.kill(block=True)
            self._keeper = None
        self._settle()
        for holder in [*self._under_way.values(), *self._held.values()]:
            self.unanswered += holder.asked
            holder.socket.close()
        self._under_way.clear()
        self._held.clear()
        if self._poller is not None:
            self._poller.close()
            self._poller = None

    # The greenlet

    @property
    def _is_opening(self) -> bool:
        return bool(self._under_way or self._again or self._fresh)

    def _keep(self) -> None:
        while True:
            self._open_more(perf_counter())
            if not self._is_opening:
                self._settle()
            self._wait()
            for descriptor, _events in self._poller.poll(0, _MOST_EVENTS):
                if descriptor in self._held:
                    self._drop(descriptor)
                elif descriptor in self._under_way:
                    self._go_on(descriptor, self._under_way[descriptor])
            stalled = perf_counter() > self._patience.ends_at
            if self._is_opening and (stalled or self._patience.has_failed):
                self._give_up(stalled)

    def _settle(self) -> None:
        if not self.settled.is_set():
            self.opened = self.held
            self.settled.set()

    def _wait(self) -> None:
        """Until a connection has something to tell, or it is time to look for those that have not."""
        if not self._is_opening:
            wait_read(self._poller.fileno())
            return
        now = perf_counter()
        until = self._patience.ends_at
        if self._again and len(self._under_way) < self._at_once:
            until = min(until, self._again[0][0])
        try:
            wait_read(self._poller.fileno(), timeout=max(0.0, until - now) + 0.001, timeout_exc=TimeoutError())
        except TimeoutError:
            return

    def _waiting(self, now: float) -> Iterator[_Holder]:
        """Who may be opened now, those first who have never been."""
        while len(self._under_way) < self._at_once:
            if self._fresh:
                self._fresh -= 1
                yield _Holder()
            elif self._again and self._again[0][0] <= now:
                yield self._again.popleft()[1]
            else:
                return

    def _open_more(self, now: float) -> None:
        assert self._destination is not None
        for holder in self._waiting(now):
            holder.tries += 1
            holder.received, holder.asked = b"", False
            try:
                holder.address = address = self._destination.choose()
                holder.socket = _socket(address.family, socket.SOCK_STREAM)
            except ConnectError as error:
                self._failed(holder, error)
                return
            except OSError as error:
                self._failed(holder, ConnectError(error.strerror or str(error)))
                return
            holder.socket.setblocking(False)
            holder.connecting = True
            self._under_way[holder.socket.fileno()] = holder
            self._poller.register(holder.socket.fileno(), _WRITABLE)
            try:
                holder.socket.connect(address.sockaddr)
            except BlockingIOError:
                pass
            except OSError as error:
                self._failed(holder, ConnectError(error.strerror or str(error)))

    def _go_on(self, descriptor: int, holder: _Holder) -> None:
        try:
            if holder.connecting:
                if error := holder.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise ConnectError(os.strerror(error))
                holder.connecting = False
                if self._destination is not None and holder.address is not None:
                    self._destination.opened(holder.address)
                self._poller.modify(descriptor, _READABLE)
                holder.asked = True
                holder.socket.send(self._request)
                return
            received = holder.socket.recv(4096)
            holder.received += received
            # At the end of the stream nothing more can come to what has arrived.
            if self._wire.answer(self._request, holder.received if received else b"") is None:
                return
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(holder, ResetError(error.strerror or str(error)))
            return
        except EchoError as error:
            self._failed(holder, error)
            return
        holder.asked = False
        del self._under_way[descriptor]
        self._held[descriptor] = holder
        self.echoes += 1
        holder.tries = 0
        self._patience.came(self.held, perf_counter())

    # What goes wrong

    def _failed(self, holder: _Holder, error: EchoError) -> None:
        self.failures[error.kind] += 1
        self._patience.failed()
        if error.detail and (not self.said or error.kind == RefusedError.kind):
            self.said = error.detail
        # Who answers with an error serves nothing; a wrong answer may count as one.
        self.unanswered += holder.asked and (not error.answered or isinstance(error, BadEchoError | FramingError))
        self._forget(holder, self._under_way)
        if holder.tries < TRIES:
            self._again.append((perf_counter() + PAUSE_S, holder))

    def _drop(self, descriptor: int) -> None:
        """A held connection has something to read although nothing was asked: its end, or a word before it."""
        holder = self._held[descriptor]
        self._forget(holder, self._held)
        self._unbroken.discard(holder)
        self.dropped += 1
        if self.settled.is_set() and self.opened < self.wanted:
            return
        if holder.reopenings < REOPENINGS:
            holder.reopenings += 1
            now = perf_counter()
            if self.settled.is_set():
                self._patience.begin_again(self.held, now)
            self._again.append((now + PAUSE_S, holder))

    def _forget(self, holder: _Holder, place: dict[int, _Holder]) -> None:
        if holder.socket is not None:
            place.pop(holder.socket.fileno(), None)
            # Taken out of the epoll by being closed.
            holder.socket.close()
            holder.socket, holder.asked = None, False

    def _give_up(self, stalled: bool) -> None:
        """Nobody is tried any more. Who is under way has had its time only if nothing went forward."""
        for holder in list(self._under_way.values()):
            if stalled:
                holder.tries = TRIES
                self._failed(holder, ConnectError("no answer") if holder.connecting else SilenceError())
            else:
                self.unanswered += holder.asked
                self._forget(holder, self._under_way)
        self._again.clear()
        self._fresh = 0
        self._settle()
