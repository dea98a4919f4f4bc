"""Messages of NATS, by nats-py: everything that is published, or tasks of JetStream's work queue."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError

from consumers.record import Record
from consumers.settings import Settings

USER = "threadmill"
NEWS = "threadmill.news"
TASKS = "threadmill.tasks"
STREAM = "TASKS"
WORKERS = "workers"

_CONNECT_S = 2
_AGAIN_S = 0.2
_LOOK_S = 0.5
# What the kernel keeps of what a slow subscriber has not read yet. With its own choice, some megabytes, minutes of
# short messages would fit in before the server saw that nobody reads them.
_UNREAD_BYTES = 16_384


def work(settings: Settings, record: Record) -> None:
    """Take messages until SIGTERM or SIGINT."""
    asyncio.run(_until_stopped(settings, record))


async def _until_stopped(settings: Settings, record: Record) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def stopped(_number: int, _frame: object) -> None:
        # At once, where a slow subscriber does not let the loop have its turn for long.
        stop.set()
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    take = _subscribe if settings.kind == "nats" else _fetch
    while not stop.is_set():
        try:
            async with _connected(settings, record) as client:
                record.has_the_broker()
                await take(client, settings, record, stop)
        except (nats.errors.Error, APIError, OSError, TimeoutError) as error:
            record.lost_the_broker(_why(error))
            await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def _connected(settings: Settings, record: Record) -> AsyncIterator[Client]:
    async def failed(error: Exception) -> None:
        if "slow consumer" in str(error).lower():
            record.too_slow(_why(error))

    client = await nats.connect(
        f"nats://{settings.host}:{settings.port}",
        user=USER,
        password=settings.password,
        connect_timeout=_CONNECT_S,
        # It is done here, with a line for each.
        allow_reconnect=False,
        error_cb=failed,
    )
    try:
        yield client
    finally:
        if not client.is_closed:
            await client.close()


async def _subscribe(client: Client, settings: Settings, record: Record, stop: asyncio.Event) -> None:
    """Each message is noted as it comes. A slow one takes its time as blocking code does: nobody reads meanwhile."""

    async def one(message: Msg) -> None:
        if stop.is_set():
            return
        if settings.task_s:
            time.sleep(settings.task_s)  # noqa: ASYNC251 - see above
        record.done(message.data, redelivered=False)

    if settings.task_s:
        _keep_little(client)
    await client.subscribe(NEWS, cb=one)
    await client.flush()
    await _while_there(client, stop)


async def _while_there(client: Client, stop: asyncio.Event) -> None:
    while not client.is_closed:
        try:
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()
        except TimeoutError:
            continue
        return
    raise nats.errors.ConnectionClosedError


def _keep_little(client: Client) -> None:
    transport: Any = client._transport  # noqa: SLF001 - it has no option for it
    connection: socket.socket = transport._io_writer.get_extra_info("socket")  # noqa: SLF001
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _UNREAD_BYTES)


async def _fetch(client: Client, settings: Settings, record: Record, stop: asyncio.Event) -> None:
    """Ask for as many tasks as are taken at once, do them one after another, each acknowledged when it is done."""
    queue = await client.jetstream().pull_subscribe_bind(WORKERS, STREAM)
    while not stop.is_set():
        try:
            messages = await queue.fetch(settings.prefetch, timeout=_LOOK_S)
        except (nats.errors.TimeoutError, TimeoutError):
            if client.is_closed:
                raise nats.errors.ConnectionClosedError from None
            continue
        for number, message in enumerate(messages):
            if stop.is_set() and number:
                await _give_back(messages[number:])
                break
            if settings.task_s:
                await asyncio.sleep(settings.task_s)
            record.done(message.data, message.metadata.num_delivered > 1)
            await message.ack()
    await client.flush()


async def _give_back(messages: list[Msg]) -> None:
    each: list[Awaitable[None]] = [message.nak() for message in messages]
    await asyncio.gather(*each)


def _why(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error!s:.150}".split())
