"""The event loop of a process: which one it is, how it learns that the server drains, and until when it runs."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable

from servers import logs
from servers.listener import LISTENER_GONE
from servers.server import Server


def loop_factory(package: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop that this package has; None for asyncio's own. ModuleNotFoundError without the package."""
    if not package:
        return None
    import uvloop  # here, because only the images of the variants have it

    return uvloop.new_event_loop


async def stop_requested(server: Server) -> None:
    """Return once the server drains.

    The interpreter writes a byte to the wake-up descriptor the moment a signal arrives: the loop cannot miss it.
    """
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: _log_failure(server, context))
    woken, waker = socket.socketpair()
    with woken, waker:
        woken.setblocking(False)
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        while not server.draining:
            with contextlib.suppress(TimeoutError):
                await loop.sock_recv(woken, 1024)
        signal.set_wakeup_fd(-1)


async def drained(server: Server) -> None:
    """Return once every connection has ended."""
    while server.open_here:  # noqa: ASYNC110 - only in the drain, and connections need not know who waits for them
        await asyncio.sleep(0.01)


def _log_failure(server: Server, context: dict[str, object]) -> None:
    failure = context.get("exception")
    if isinstance(failure, OSError) and failure.errno in LISTENER_GONE:
        if not server.draining:  # shut by the process that shares it, whose signal is still on its way
            signal.raise_signal(signal.SIGTERM)
    elif not server.draining:
        # Out of descriptors on accept, for one: asyncio pauses accepting for a second and goes on.
        logs.info(f"event loop: {context.get('message')}: {failure}")
