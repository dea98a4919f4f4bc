"""NATS by nats-py: a message is published and seen to have arrived, by its server or, of JetStream, by the stream."""

import asyncio
from typing import Any

import nats
from nats import errors
from nats.js import errors as js_errors

from servers.behind.addresses import Place
from servers.behind.config import BehindConfig
from servers.behind.failures import CALL_S, CLOSE_S, REFUSED, UNREACHABLE, BackendError, of_system

SUBJECT = "threadmill.news"
STREAM_SUBJECT = "threadmill.tasks"


class AioNats:
    """For an event loop."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config
        self._stream = config.kind == "jetstream"

    async def connect(self, place: Place) -> Any:
        said = {"user": "threadmill", "password": self._config.password} if self._config.password else {}
        client = await nats.connect(
            f"nats://{place.ip()}:{place.port}",
            # What is broken is thrown away here, and a new one made by who needs it.
            allow_reconnect=False,
            connect_timeout=int(CALL_S),
            error_cb=_say_nothing,
            **said,
        )
        return (client, client.jetstream(timeout=CALL_S) if self._stream else None)

    async def close(self, connection: Any) -> None:
        client, _ = connection
        if not client.is_closed:
            await asyncio.wait_for(client.close(), CLOSE_S)

    def failure(self, error: Exception, connection: Any) -> BackendError:
        return _failure(error, connection is None or not connection[0].is_connected)

    async def send(self, connection: Any, body: bytes) -> None:
        client, stream = connection
        if stream is not None:
            await stream.publish(STREAM_SUBJECT, body)
            return
        await client.publish(SUBJECT, body)
        await client.flush(CALL_S)


class Nats:
    """For threads: nats-py has no blocking face, so each connection has a loop that runs while somebody waits for it.

    In the calling thread, and in no other.
    """

    def __init__(self, config: BehindConfig) -> None:
        self._aio = AioNats(config)

    def connect(self, place: Place) -> Any:
        loop = asyncio.new_event_loop()
        try:
            return loop, loop.run_until_complete(self._aio.connect(place))
        except BaseException:
            _end(loop)
            raise

    def close(self, connection: Any) -> None:
        loop, inner = connection
        try:
            loop.run_until_complete(self._aio.close(inner))
        finally:
            _end(loop)

    def failure(self, error: Exception, connection: Any) -> BackendError:
        return self._aio.failure(error, None if connection is None else connection[1])

    def send(self, connection: Any, body: bytes) -> None:
        loop, inner = connection
        loop.run_until_complete(self._aio.send(inner, body))


async def _say_nothing(_: Exception) -> None:
    """The request that meets the error tells of it."""


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop with what it was still to do."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()


def _failure(error: Exception, broken: bool) -> BackendError:
    if isinstance(error, errors.TimeoutError | js_errors.APIError | js_errors.NoStreamResponseError):
        if isinstance(error, errors.TimeoutError):
            return of_system(TimeoutError())
        return BackendError(REFUSED, str(error), broken)
    if isinstance(error, errors.AuthorizationError) or "authorization" in str(error).lower():
        return BackendError(REFUSED, str(error))
    if isinstance(error, errors.Error):
        return BackendError(UNREACHABLE if broken else REFUSED, str(error) or type(error).__name__, broken)
    return of_system(error)
