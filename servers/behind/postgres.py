"""PostgreSQL by psycopg 3: one row read or written for each call, each its own transaction."""

from typing import Any

import psycopg
from psycopg import errors

from servers.behind.addresses import Place
from servers.behind.config import BehindConfig
from servers.behind.failures import CALL_S, REFUSED, TIMEOUT, UNREACHABLE, BackendError, of_system

# Prepared by psycopg once a connection has run them a few times. The types make it one statement for keys of any size.
READ = "SELECT version, value FROM tm_read(%s::int)"
WRITE = "SELECT tm_write(%s::int, %s::bigint, %s)"
SCAN = "SELECT sum(n) FROM tm_scan() AS n"

Row = tuple[int, str]


class _Connection(psycopg.Connection[Any]):
    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = CALL_S) -> Any:
        return super().wait(gen, interval, CALL_S if timeout is None else timeout)


class _AsyncConnection(psycopg.AsyncConnection[Any]):
    # The signature is psycopg's.
    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = CALL_S) -> Any:  # noqa: ASYNC109
        return await super().wait(gen, interval, CALL_S if timeout is None else timeout)


class Postgres:
    """For threads. A connection is its one cursor: to make one for each query takes a tenth of the query."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config

    def connect(self, place: Place) -> psycopg.Cursor[Any]:
        return _Connection.connect("", **_parameters(place, self._config)).cursor()

    def close(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.connection.close()

    def failure(self, error: Exception, cursor: psycopg.Cursor[Any] | None) -> BackendError:
        return _failure(error, cursor is None or cursor.connection.closed)

    def read(self, cursor: psycopg.Cursor[Any], key: int) -> Row | None:
        row: Row | None = cursor.execute(READ, (key,)).fetchone()
        return row

    def write(self, cursor: psycopg.Cursor[Any], key: int, version: int, value: str) -> bool:
        return _is_known(cursor.execute(WRITE, (key, version, value)).fetchone())

    def scan(self, cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute(SCAN).fetchone()


class AioPostgres:
    """For an event loop."""

    def __init__(self, config: BehindConfig) -> None:
        self._config = config

    async def connect(self, place: Place) -> psycopg.AsyncCursor[Any]:
        return (await _AsyncConnection.connect("", **_parameters(place, self._config))).cursor()

    async def close(self, cursor: psycopg.AsyncCursor[Any]) -> None:
        await cursor.connection.close()

    def failure(self, error: Exception, cursor: psycopg.AsyncCursor[Any] | None) -> BackendError:
        return _failure(error, cursor is None or cursor.connection.closed)

    async def read(self, cursor: psycopg.AsyncCursor[Any], key: int) -> Row | None:
        await cursor.execute(READ, (key,))
        row: Row | None = await cursor.fetchone()
        return row

    async def write(self, cursor: psycopg.AsyncCursor[Any], key: int, version: int, value: str) -> bool:
        await cursor.execute(WRITE, (key, version, value))
        return _is_known(await cursor.fetchone())

    async def scan(self, cursor: psycopg.AsyncCursor[Any]) -> None:
        await cursor.execute(SCAN)
        await cursor.fetchone()


def _parameters(place: Place, config: BehindConfig) -> dict[str, Any]:
    return {
        "host": place.host,
        "hostaddr": place.ip(),
        "port": place.port,
        "user": "threadmill",
        "password": config.password or None,
        "dbname": "threadmill",
        "connect_timeout": int(CALL_S),
        "sslmode": "disable",
        "gssencmode": "disable",
        "autocommit": True,
    }


def _is_known(row: tuple[bool | None] | None) -> bool:
    return row is not None and row[0] is True


def _failure(error: Exception, closed: bool) -> BackendError:
    if isinstance(error, TimeoutError | errors.ConnectionTimeout | errors._WaitTimeout):  # noqa: SLF001
        return of_system(TimeoutError())
    if not isinstance(error, psycopg.Error):
        return of_system(error)
    state, text = error.sqlstate or "", error.diag.message_primary or str(error)
    if isinstance(error, errors.QueryCanceled):
        return BackendError(TIMEOUT, text, closed)
    # A connection that is turned away has no error code of its own: the server's word has its severity before it.
    if state.startswith("08") or (closed and "FATAL:" not in text):
        return BackendError(UNREACHABLE, text)
    return BackendError(REFUSED, text, closed)
