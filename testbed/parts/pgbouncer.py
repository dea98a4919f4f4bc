"""A PgBouncer as a part: whether clients reach the database through it, and its counters, by its console.

Source: PgBouncer 1.24's manual, the commands SHOW STATS_TOTALS, SHOW POOLS and SHOW CONFIG.
"""

from typing import Any

from testbed.parts.asking import TIMEOUT_S, PartError
from testbed.parts.part_counts import PartCounts
from testbed.parts.postgres import DATABASE, PORT, USER, first_line

__all__ = ["PORT", "READY_S", "PgBouncer"]

READY_S = 30.0
"""How long it may take until it does its work, the database behind it included."""

# Its own, in which it answers.
_CONSOLE = "pgbouncer"


class PgBouncer:
    """A running PgBouncer before one PostgreSQL."""

    def __init__(self, host: str, port: int, password: str, name: str = "pgbouncer") -> None:
        self._name = name
        self._where = f"{host}:{port}"
        self._parameters = {"host": host, "port": str(port), "password": password, "user": USER}

    def ready(self) -> bool:
        """Whether a query gets through it to the database and back."""
        try:
            return bool(self._asked(DATABASE, "SELECT count(*) AS found FROM tm_read(0)"))
        except OSError:
            return False

    def close(self) -> None:
        """Nothing is kept."""

    def read(self) -> PartCounts:
        """Its counts now. PartError, an OSError, one line, where it does not answer."""
        pools = self._asked(_CONSOLE, "SHOW POOLS")
        totals = self._asked(_CONSOLE, "SHOW STATS_TOTALS")
        settings = self._asked(_CONSOLE, "SHOW CONFIG")
        return counts(pools, totals, settings)

    def _asked(self, database: str, question: str) -> list[dict[str, Any]]:
        # Only who has a database behind servers needs a driver.
        import psycopg
        from psycopg.rows import dict_row

        try:
            parameters: dict[str, Any] = {**self._parameters, "dbname": database, "connect_timeout": int(TIMEOUT_S)}
            # Its console knows neither transactions nor statements with parameters.
            with psycopg.connect(**parameters, autocommit=True, prepare_threshold=None) as connection:
                cursor = psycopg.ClientCursor(connection, row_factory=dict_row)
                return cursor.execute(question).fetchall()
        except psycopg.Error as error:
            raise PartError(f"{self._name} does not answer at {self._where}: {first_line(error)}") from None


def counts(pools: list[dict[str, Any]], totals: list[dict[str, Any]], settings: list[dict[str, Any]]) -> PartCounts:
    """The counts out of its answers, each row by the names of its columns; of what is not in them, nothing is known.
    Pure."""
    mine = [row for row in pools if row.get("database") == DATABASE]
    active, waiting = _sum(mine, "cl_active"), _sum(mine, "cl_waiting")
    configured = next((row.get("value") for row in settings if row.get("key") == "max_client_conn"), None)
    return PartCounts(
        connections=None if active is None or waiting is None else active + waiting,
        connections_most=_number(configured),
        operations=_sum([row for row in totals if row.get("database") == DATABASE], "xact_count"),
        waiting=waiting,
    )


def _sum(rows: list[dict[str, Any]], column: str) -> int | None:
    """Over these rows; 0 without one, for it has no pool for whom nobody has asked."""
    known = [_number(row.get(column)) for row in rows]
    return None if None in known else sum(value for value in known if value is not None)


def _number(value: object) -> int | None:
    """Numbers come as numbers, or in their decimal digits."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None
