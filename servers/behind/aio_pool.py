"""The same pool as ``pool.Pool`` for the requests of one event loop."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from servers.behind.counts import Row
from servers.behind.pool import exhausted

T = TypeVar("T")


class AioPool(Generic[T]):
    """Made and used in one loop."""

    def __init__(self, connect: Callable[[], Awaitable[T]], size: int, wait_s: float, counts: Row) -> None:
        self._connect = connect
        self._size = size
        self._wait_s = wait_s
        self._counts = counts
        self._idle: list[T] = []
        self._places = 0
        self._waiters: deque[asyncio.Future[T | None]] = deque()

    async def take(self) -> T:
        """A connection for the caller alone, who gives it back or drops it. Raises BackendError, or as connect does."""
        if self._idle:
            return self._idle.pop()
        if self._places < self._size:
            self._places += 1
        elif (item := await self._waited()) is not None:
            return item
        try:
            item = await self._connect()
        except BaseException:
            self.drop()
            raise
        self._counts.add("connects")
        return item

    async def _waited(self) -> T | None:
        waiter: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        began_ns = time.monotonic_ns()
        self._counts.add("waited")
        await asyncio.wait((waiter,), timeout=self._wait_s)
        self._counts.add("waited_us", (time.monotonic_ns() - began_ns) // 1_000)
        if not waiter.done():
            self._waiters.remove(waiter)
            raise exhausted(self._size, self._wait_s)
        return waiter.result()

    def give(self, item: T) -> None:
        if self._waiters:
            self._waiters.popleft().set_result(item)
        else:
            self._idle.append(item)

    def drop(self) -> None:
        """The connection that was taken is of no further use: another may be made in its place."""
        if self._waiters:
            self._waiters.popleft().set_result(None)
        else:
            self._places -= 1
