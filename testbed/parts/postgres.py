"""A PostgreSQL as a part, whatever its role: whether it does its work, and its counters, by its own statistics.

Source: PostgreSQL 17's manual, chapter 27 (monitoring) and section 9.28 (recovery information).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from testbed.parts.asking import TIMEOUT_S, PartError
from testbed.parts.part_counts import PartCounts

READY_S = 30.0
"""How long it may take until it does its work: 3 s at 0.2 CPU, and a standby 3 s more than its primary, where the
machine has those CPUs to give."""

PORT = 5432
USER = DATABASE = "threadmill"
# The superuser: connections are left for it when all others are taken.
OBSERVER = "postgres"

# From its primary a standby hears at least every 5 s.
_SILENCE_S = 7

# Writes nothing, for no version is below; a router has the answer of one shard and then of all.
_WRITES = "SELECT tm_write(0, -1, '')"
_READS = "SELECT count(*) FROM tm_read(0)"
_SCANS = "SELECT sum(n) FROM tm_scan() AS n"
_RECOVERY = "SELECT pg_is_in_recovery()"
_STREAMS = "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'"

_COUNTS = f"""
SELECT
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = '{USER}'),
    (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{DATABASE}')
"""

# What does not change, or takes long to count.
_ONCE = f"""
SELECT
    (SELECT sum(setting::int * CASE name WHEN 'max_connections' THEN 1 ELSE -1 END) FROM pg_settings
        WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')),
    (SELECT pg_database_size('{DATABASE}'))
"""

# Of a standby: the time since the newest change that it has made was made, unless it has made all it has received; and
# since it has heard of its primary, or, with nobody to hear, since that change or its own start.
_LAG = f"""
SELECT greatest(
    CASE WHEN pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
        THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END,
    CASE
        WHEN r.status IS DISTINCT FROM 'streaming' THEN extract(epoch FROM
            clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))
        WHEN clock_timestamp() - r.last_msg_receipt_time > interval '{_SILENCE_S} s'
            THEN extract(epoch FROM clock_timestamp() - r.last_msg_receipt_time)
    END,
    0)
FROM (SELECT) AS this LEFT JOIN pg_stat_wal_receiver r ON true
"""


class Postgres:
    """A running PostgreSQL: a primary, a standby, a shard, or the router before shards.

    From when it is ready on one connection is kept: a new one, and what it asks for the first time, costs a tenth of a
    second of CPU, which under a small limit would be seconds of the window at whose opening its counts are read.
    """

    def __init__(self, host: str, port: int, password: str, name: str = "postgres") -> None:
        self._name = name
        self._where = f"{host}:{port}"
        self._parameters = {"host": host, "port": str(port), "password": password, "dbname": DATABASE}
        self._kept = contextlib.ExitStack()
        self._observer: _Asks | None = None
        self._once: tuple[int, int] = (0, 0)

    def ready(self) -> bool:
        """Whether it reads and, but for a standby, writes: of a router, in all its shards; a standby follows its
        primary, too."""
        try:
            if not self._works():
                return False
            # For the first time, so that it is quick from then on.
            self.read()
        except OSError:
            return False
        return True

    def _works(self) -> bool:
        with self._connected(USER) as ask:
            if ask(_RECOVERY):
                works = ask(_READS) == 1
                with self._connected(OBSERVER) as observe:
                    return works and bool(observe(_STREAMS) == 1)
            # A shard may have no key 0.
            return ask(_SCANS) > 0 and ask(_READS) is not None and ask(_WRITES) is not None

    def read(self) -> PartCounts:
        """Its counts now. PartError, an OSError, one line, where it does not answer.

        A transaction is counted up to a second after it was made, and what the counting itself does is counted. The
        size of the data is that of when it was first asked for.
        """
        import psycopg  # only who has a database behind servers needs a driver

        try:
            if self._observer is None:
                self._observer = self._kept.enter_context(self._connected(OBSERVER))
                most, size = self._observer.row(_ONCE)
                self._once = int(most), int(size)
            ask = self._observer
            connections, transactions = ask.row(_COUNTS)
            lag = ask(_LAG) if ask(_RECOVERY) else None
        except psycopg.Error as error:
            self.close()
            raise PartError(f"{self._name} does not answer at {self._where}: {first_line(error)}") from None
        most, size = self._once
        return PartCounts(
            connections=int(connections),
            connections_most=most,
            operations=int(transactions),
            lag_s=None if lag is None else float(lag),
            memory_bytes=size,
        )

    def close(self) -> None:
        """End the connection that is kept; the next question makes one anew."""
        self._observer = None
        # Whatever is said by one that is broken.
        with contextlib.suppress(OSError):
            self._kept.close()

    @contextlib.contextmanager
    def _connected(self, user: str) -> Iterator["_Asks"]:
        # Only who has a database behind servers needs a driver.
        import psycopg

        try:
            parameters: dict[str, Any] = {**self._parameters, "user": user, "connect_timeout": int(TIMEOUT_S)}
            # A commit that waits for a standby that is not there would wait for ever.
            bound = f"-c statement_timeout={int(TIMEOUT_S * 1000)}"
            with psycopg.connect(**parameters, options=bound, autocommit=True) as connection:
                yield _Asks(connection)
        except psycopg.Error as error:
            raise PartError(f"{self._name} does not answer at {self._where}: {first_line(error)}") from None


class _Asks:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __call__(self, query: str) -> Any:
        """The one value that it answers."""
        return self.row(query)[0]

    def row(self, query: str) -> tuple[Any, ...]:
        found: tuple[Any, ...] = self._connection.execute(query).fetchone()
        return found


def first_line(error: Exception) -> str:
    """What a driver says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
