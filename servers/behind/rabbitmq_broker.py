"""RabbitMQ by pika and aio-pika: a message is published into the queue, and RabbitMQ confirms that it has it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import aio_pika
import aiormq.exceptions
import pika
from pamqp.exceptions import PAMQPException
from pika import exceptions
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout
from pika.adapters.utils.selector_ioloop_adapter import SelectorIOServicesAdapter

from servers.behind.addresses import Place
from servers.behind.config import BehindConfig
from servers.behind.failures import CALL_S, CLOSE_S, REFUSED, UNREACHABLE, BackendError, of_system

QUEUE = "tasks"
_PERSISTENT = pika.BasicProperties(delivery_mode=2)


class _Services(SelectorIOServicesAdapter):  # type: ignore[misc]
    """Looks addresses up in the calling thread: they are IP addresses, and pika would start a thread for each."""

    def getaddrinfo(self, host: str, port: int, on_done: Callable[[Any], None], *_: Any, **__: Any) -> Any:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
        self.add_callback_threadsafe(lambda: on_done(found))
        return _Done()


class _Done:
    def cancel(self) -> bool:
        return False


class _Connection(SelectConnection):  # type: ignore[misc]
    @classmethod
    def create_connection(
        cls, connection_configs: Any, on_done: Any, custom_ioloop: Any = None, workflow: Any = None
    ) -> Any:
        services = _Services(custom_ioloop or IOLoop())
        return cls._start_connection_workflow(
            connection_configs=connection_configs,
            connection_factory=lambda parameters: cls(
                parameters=parameters, custom_ioloop=services, internal_connection_workflow=False
            ),
            nbio=services,
            workflow=workflow,
            on_done=on_done,
        )


class RabbitMQ:
    """For threads. A connection belongs to whoever has taken it."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config

    def connect(self, place: Place) -> Any:
        parameters = pika.ConnectionParameters(
            host=place.ip(),
            port=place.port,
            credentials=pika.PlainCredentials("threadmill", self._config.password),
            # Between requests nobody would answer for a connection.
            heartbeat=0,
            socket_timeout=CALL_S,
            stack_timeout=CALL_S,
            blocked_connection_timeout=CALL_S,
        )
        connection = pika.BlockingConnection(parameters, _impl_class=_Connection)
        channel = connection.channel()
        channel.confirm_delivery()
        return connection, channel

    def close(self, connection: Any) -> None:
        if connection[0].is_open:
            with _bounded(connection[0], CLOSE_S):
                connection[0].close()

    def failure(self, error: Exception, connection: Any) -> BackendError:
        return _failure(error, connection is None or not connection[1].is_open)

    def send(self, connection: Any, body: bytes) -> None:
        with _bounded(connection[0], CALL_S):
            connection[1].basic_publish("", QUEUE, body, _PERSISTENT, mandatory=True)


class AioRabbitMQ:
    """For an event loop."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config

    async def connect(self, place: Place) -> Any:
        connection = await aio_pika.connect(
            host=place.ip(), port=place.port, login="threadmill", password=self._config.password, timeout=CALL_S
        )
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        return connection, channel

    async def close(self, connection: Any) -> None:
        await asyncio.wait_for(connection[0].close(), CLOSE_S)

    def failure(self, error: Exception, connection: Any) -> BackendError:
        return _failure(error, connection is None or connection[1].is_closed)

    async def send(self, connection: Any, body: bytes) -> None:
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await connection[1].default_exchange.publish(message, QUEUE, mandatory=True, timeout=CALL_S)


@contextlib.contextmanager
def _bounded(connection: Any, seconds: float) -> Iterator[None]:
    """pika waits for an answer without a bound of its own: TimeoutError instead."""
    loop = connection._impl.ioloop  # noqa: SLF001
    bound = loop.call_later(seconds, _give_up)
    try:
        yield
    finally:
        loop.remove_timeout(bound)


def _give_up() -> None:
    raise TimeoutError


_REFUSALS = (
    exceptions.UnroutableError,
    exceptions.NackError,
    exceptions.ChannelClosedByBroker,
    exceptions.ConnectionBlockedTimeout,
    exceptions.ProbableAuthenticationError,
    exceptions.ProbableAccessDeniedError,
    aio_pika.exceptions.DeliveryError,
    aiormq.exceptions.PublishError,
    aiormq.exceptions.ProbableAuthenticationError,
    aiormq.exceptions.ChannelClosed,
)


def _failure(error: Exception, broken: bool) -> BackendError:
    inner = getattr(error.args[0], "exception", error.args[0]) if error.args else None
    if isinstance(error, exceptions.AMQPConnectionError) and isinstance(inner, OSError):
        return of_system(inner)  # of making the connection, which pika wraps
    if isinstance(error, AMQPConnectorStackTimeout):
        return of_system(TimeoutError())
    # aio-pika names an object by where it is in memory.
    text = str(error) if str(error) and " object at " not in str(error) else type(error).__name__
    if isinstance(error, _REFUSALS):
        return BackendError(REFUSED, text, broken)
    if isinstance(error, OSError):
        return of_system(error)
    if isinstance(error, exceptions.AMQPError | aiormq.exceptions.AMQPError | PAMQPException | RuntimeError):
        return BackendError(UNREACHABLE if broken else REFUSED, text, broken)
    return of_system(error)
