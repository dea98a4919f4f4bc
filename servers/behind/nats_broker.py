"""NATS by nats-py: a message is published and seen to have arrived, by its server or, of JetStream, by the stream."""

import asyncio
from typing import Any

from nats import errors
from nats.aio.client import Client
from nats.js import errors as js_errors

from servers.behind.addresses import Place
from servers.behind.config import BehindConfig
from servers.behind.failures import CALL_S, CLOSE_S, REFUSED, UNREACHABLE, BackendError, of_system

SUBJECT = "threadmill.news"
STREAM_SUBJECT = "threadmill.tasks"


class _Link:
    """A connection, and who waits for an answer on it: nats-py would leave him waiting when it breaks."""

    def __init__(self) -> None:
        self.client: Any = None
        self.stream: Any = None
        self._sender: asyncio.Task[Any] | None = None
        self._lost = False

    async def lost(self) -> None:
        self._lost = True
        if self._sender is not None:
            self._sender.cancel()

    async def send(self, body: bytes) -> None:
        """Raises ConnectionClosedError as soon as the connection breaks, and what nats-py raises."""
        self._sender = task = asyncio.current_task()
        assert task is not None
        try:
            if self.stream is not None:
                await self.stream.publish(STREAM_SUBJECT, body)
            else:
                await self.client.publish(SUBJECT, body)
                await self.client.flush(CALL_S)
        except asyncio.CancelledError:
            if not self._lost:
                raise
            task.uncancel()
            raise errors.ConnectionClosedError from None
        finally:
            self._sender = None


class AioNats:
    """For an event loop."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config
        self._stream = config.kind == "jetstream"

    async def connect(self, place: Place) -> _Link:
        said: dict[str, Any] = {}
        if self._config.password:
            said = {"user": "threadmill", "password": self._config.password}
        link = _Link()
        link.client = Client()
        # Where nobody answers, nats-py tries again and again.
        first: list[Exception] = []

        async def note(error: Exception) -> None:
            first.append(error)

        connecting = link.client.connect(
            f"nats://{place.ip()}:{place.port}",
            # What is broken is thrown away here, and a new one made by who needs it.
            allow_reconnect=False,
            connect_timeout=CALL_S,
            reconnect_time_wait=0,
            max_reconnect_attempts=1,
            error_cb=note,
            disconnected_cb=link.lost,
            **said,
        )
        try:
            await asyncio.wait_for(connecting, CALL_S)
        except errors.NoServersError:
            raise first[0] if first else TimeoutError from None
        link.stream = link.client.jetstream(timeout=CALL_S) if self._stream else None
        return link

    async def close(self, connection: _Link) -> None:
        if not connection.client.is_closed:
            await asyncio.wait_for(connection.client.close(), CLOSE_S)

    def failure(self, error: Exception, connection: _Link | None) -> BackendError:
        return _failure(error, connection is None or not connection.client.is_connected)

    async def send(self, connection: _Link, body: bytes) -> None:
        await connection.send(body)


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
