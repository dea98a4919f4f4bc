"""Work of a queue of RabbitMQ, by pika."""

import time
from collections.abc import Callable

import pika
import pika.exceptions

from consumers.record import Record
from consumers.settings import Settings

USER = "threadmill"

_CONNECT_S = 2.0
_AGAIN_S = 0.2
# How soon it is seen that it should stop, where there is nothing to do.
_LOOK_S = 0.1


def work(settings: Settings, record: Record, stopped: Callable[[], bool]) -> None:
    """Take tasks until it is told to stop; the one in hand is finished and acknowledged, those that were taken along
    go back to the queue."""
    parameters = pika.ConnectionParameters(
        settings.host,
        settings.port,
        credentials=pika.PlainCredentials(USER, settings.password),
        # A closed connection tells that the other is gone; a long task must not.
        heartbeat=0,
        socket_timeout=_CONNECT_S,
        stack_timeout=_CONNECT_S,
        blocked_connection_timeout=None,
    )
    while not stopped():
        try:
            connection = pika.BlockingConnection(parameters)
        except (pika.exceptions.AMQPError, OSError) as error:
            record.lost_the_broker(_why(error))
            time.sleep(_AGAIN_S)
            continue
        record.has_the_broker()
        try:
            _take(connection, settings, record, stopped)
        except (pika.exceptions.AMQPError, OSError) as error:
            record.lost_the_broker(_why(error))
        finally:
            if connection.is_open:
                connection.close()


def _take(connection: pika.BlockingConnection, settings: Settings, record: Record, stopped: Callable[[], bool]) -> None:
    channel = connection.channel()
    channel.basic_qos(prefetch_count=settings.prefetch)
    for method, _, body in channel.consume(settings.queue, inactivity_timeout=_LOOK_S):
        if stopped():
            return
        if method is not None:
            if settings.task_s:
                time.sleep(settings.task_s)
            record.done(body, method.redelivered)
            channel.basic_ack(method.delivery_tag)


def _why(error: Exception) -> str:
    # Of several addresses pika tells one by one; of some errors nothing but their name.
    return " ".join(f"{type(error).__name__} {error!r:.150}".split())
