"""What is behind, as one process of a server sees it: its pools, made when first needed and never shared by a fork."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any

from servers import protocol
from servers.behind import steps
from servers.behind.addresses import Place
from servers.behind.aio_pool import AioPool
from servers.behind.config import KINDS, Address, BehindConfig, read_behind
from servers.behind.counts import Counts, Row
from servers.behind.failures import BackendError
from servers.behind.pool import Pool
from servers.conversation import Errand

# They log what the client is told and what is counted.
_DRIVERS = ("psycopg", "valkey", "nats", "pika", "aio_pika", "aiormq")


def opened(environment: Mapping[str, str], loop: bool, rows: int) -> "Behind | None":
    """What ``environment`` says is behind, for a server with so many rows of counts; ``loop``: an event loop serves.

    Nothing is connected yet. Raises ConfigError, and ModuleNotFoundError without the driver.
    """
    config = read_behind(environment)
    if config is None:
        return None
    for driver in _DRIVERS:
        logging.getLogger(driver).setLevel(logging.CRITICAL + 1)
    return Behind(config, Counts(rows), loop)


class Behind:
    """One process's. Threads of it may call ``do`` at once; ``do_in_loop`` belongs to one loop."""

    def __init__(self, config: BehindConfig, counts: Counts, loop: bool, row: int = 0) -> None:
        self.config = config
        self.kind = config.kind
        self.verbs = KINDS[config.kind]
        self.counts = counts
        self._loop = loop
        self._count = counts.row(row)
        self._steps = steps.of(config)
        self._stores = dict(self._faces())

    def in_child(self, row: int) -> "Behind":
        """The same for a process that was just forked and counts in that row: with no connection of its parent's."""
        return Behind(self.config, self.counts, self._loop, row)

    def _faces(self) -> Iterator[tuple[str, "_Store"]]:
        """Each store by its name. Drivers are imported here: only the images of such servers have them."""
        config, kind = self.config, self.kind
        if kind.startswith("valkey"):
            from servers.behind import valkey_store

            nodes = _places(config.cache)
            valkey: Any = valkey_store.AioValkey if self._loop else valkey_store.Valkey
            # Of a cluster a client finds the others by itself.
            yield steps.CACHE, self._store(valkey(config, nodes), nodes[:1])
        if kind.endswith("postgres"):
            from servers.behind import postgres

            database: Any = postgres.AioPostgres if self._loop else postgres.Postgres
            read = None if config.read == config.write else _places(config.read)
            yield steps.DATABASE, self._store(database(config), _places(config.write), read)
        if kind in ("nats", "jetstream"):
            from servers.behind import nats_broker

            nats: Any = nats_broker.AioNats if self._loop else nats_broker.Nats
            yield steps.BROKER, self._store(nats(config), _places(config.write))
        if kind == "rabbitmq":
            from servers.behind import rabbitmq_broker

            rabbitmq: Any = rabbitmq_broker.AioRabbitMQ if self._loop else rabbitmq_broker.RabbitMQ
            yield steps.BROKER, self._store(rabbitmq(config), _places(config.write))

    def _store(self, face: Any, write: list[Place], read: list[Place] | None = None) -> "_Store":
        """``read``: who answers reads, where it is not the same."""

        def pools(places: list[Place]) -> list[Any]:
            return [_pool(face, place, self.config, self._count, self._loop) for place in places]

        writers = pools(write)
        return _Store(face, writers, writers if read is None else pools(read))

    def do(self, errand: Errand) -> None:
        """Do the errand in the calling thread, and say in it how it went. Raises nothing that a store can cause."""
        work = self._steps(errand.ask, self.config, self._count.add)
        answer: object = None
        failure: BackendError | None = None
        try:
            while True:
                step = work.send(answer) if failure is None else work.throw(failure)
                answer = failure = None
                if isinstance(step, float):
                    time.sleep(step)
                    continue
                try:
                    answer = self._stores[step.store].call(step)
                except BackendError as reason:
                    failure = reason
        except StopIteration as end:
            errand.reply = end.value
        except BackendError as reason:
            errand.reply = self._failed(reason)

    async def do_in_loop(self, errand: Errand) -> None:
        """The same in the running loop, which goes on meanwhile."""
        work = self._steps(errand.ask, self.config, self._count.add)
        answer: object = None
        failure: BackendError | None = None
        try:
            while True:
                step = work.send(answer) if failure is None else work.throw(failure)
                answer = failure = None
                if isinstance(step, float):
                    await asyncio.sleep(step)
                    continue
                try:
                    answer = await self._stores[step.store].call_in_loop(step)
                except BackendError as reason:
                    failure = reason
        except StopIteration as end:
            errand.reply = end.value
        except BackendError as reason:
            errand.reply = self._failed(reason)

    def _failed(self, failure: BackendError) -> bytes:
        self._count.add(failure.name)
        return protocol.backend_error(failure.name, failure.detail)


class _Store:
    """A pool for each address of a store; those that answer reads are asked in turn."""

    def __init__(self, face: Any, writers: list[Any], readers: list[Any]) -> None:
        self._face = face
        self._writers, self._readers = writers, readers
        self._turn = 0

    def call(self, step: steps.Call) -> object:
        """Raises BackendError."""
        pool: Pool[Any] = self._next(step.writes)
        connection = pool.take()
        try:
            answer = getattr(self._face, step.method)(connection, *step.arguments)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            failure: BackendError = self._face.failure(error, connection)
            if failure.broken:
                pool.drop()
                with contextlib.suppress(Exception):
                    self._face.close(connection)
            else:
                pool.give(connection)
            raise failure from None
        except BaseException:
            pool.drop()
            raise
        pool.give(connection)
        return answer

    async def call_in_loop(self, step: steps.Call) -> object:
        pool: AioPool[Any] = self._next(step.writes)
        connection = await pool.take()
        try:
            answer = await getattr(self._face, step.method)(connection, *step.arguments)
        except Exception as error:  # noqa: BLE001 - as in call
            failure: BackendError = self._face.failure(error, connection)
            if failure.broken:
                pool.drop()
                with contextlib.suppress(Exception):
                    await self._face.close(connection)
            else:
                pool.give(connection)
            raise failure from None
        except BaseException:
            pool.drop()
            raise
        pool.give(connection)
        return answer

    def _next(self, writes: bool) -> Any:
        those = self._writers if writes else self._readers
        if len(those) == 1:
            return those[0]
        self._turn += 1
        return those[self._turn % len(those)]


def _pool(face: Any, place: Place, config: BehindConfig, counts: Row, loop: bool) -> Any:
    """A pool of connections to one place, whose failures to connect are BackendErrors."""

    def not_connected(error: Exception) -> BackendError:
        place.doubt()
        failure: BackendError = error if isinstance(error, BackendError) else face.failure(error, None)
        return BackendError(failure.name, f"{place.host}: {failure.detail}")

    def connect() -> Any:
        try:
            return face.connect(place)
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            raise not_connected(error) from None

    async def connect_in_loop() -> Any:
        try:
            return await face.connect(place)
        except Exception as error:  # noqa: BLE001 - as in connect
            raise not_connected(error) from None

    if loop:
        return AioPool(connect_in_loop, config.pool, config.wait_s, counts)
    return Pool(connect, config.pool, config.wait_s, counts)


def _places(addresses: tuple[Address, ...]) -> list[Place]:
    return [Place(address) for address in addresses]
