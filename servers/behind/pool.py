"""A bounded pool of connections for the threads of one process: who finds none waits in line, and not for ever."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from servers.behind.counts import Row
from servers.behind.failures import EXHAUSTED, BackendError

T = TypeVar("T")


class _Waiter(Generic[T]):
    __slots__ = ("item", "served")

    def __init__(self) -> None:
        self.item: T | None = None  # None once served: it may make one
        self.served = threading.Lock()
        self.served.acquire()


class Pool(Generic[T]):
    """Made in the process that uses it, never before a fork."""

    def __init__(self, connect: Callable[[], T], size: int, wait_s: float, counts: Row) -> None:
        """``connect`` makes a connection or raises; it is called outside of any lock."""
        self._connect = connect
        self._size = size
        self._wait_s = wait_s
        self._counts = counts
        self._lock = threading.Lock()
        self._idle: list[T] = []
        self._places = 0  # taken: connections that are there, and those being made
        self._waiters: deque[_Waiter[T]] = deque()

    def take(self) -> T:
        """A connection for the caller alone, who gives it back or drops it. Raises BackendError, or as connect does."""
        with self._lock:
            if self._idle:
                return self._idle.pop()  # the one that was used last
            waiter: _Waiter[T] | None = None
            if self._places < self._size:
                self._places += 1
            else:
                waiter = _Waiter()
                self._waiters.append(waiter)
        if waiter is not None and (item := self._waited(waiter)) is not None:
            return item
        try:
            item = self._connect()
        except BaseException:
            self.drop()
            raise
        self._counts.add("connects")
        return item

    def _waited(self, waiter: _Waiter[T]) -> T | None:
        began_ns = time.monotonic_ns()
        self._counts.add("waited")
        served = waiter.served.acquire(timeout=self._wait_s)
        self._counts.add("waited_us", (time.monotonic_ns() - began_ns) // 1_000)
        if not served:
            with self._lock:
                # Served between the end of the wait and here: then it is ours all the same.
                if not (served := waiter not in self._waiters):
                    self._waiters.remove(waiter)
        if not served:
            raise exhausted(self._size, self._wait_s)
        return waiter.item

    def give(self, item: T) -> None:
        with self._lock:
            self._pass_on(item)

    def drop(self) -> None:
        """The connection that was taken is of no further use: another may be made in its place."""
        with self._lock:
            self._pass_on(None)

    def _pass_on(self, item: T | None) -> None:
        if self._waiters:
            waiter = self._waiters.popleft()
            waiter.item = item
            waiter.served.release()
        elif item is not None:
            self._idle.append(item)
        else:
            self._places -= 1


def exhausted(size: int, wait_s: float) -> BackendError:
    return BackendError(EXHAUSTED, f"none of {size} connections was free within {wait_s:g} s")
