"""What stands behind the servers of a trial while it runs: whether it is ready, and what it counts."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from testbed.parts import behind, nats, pgbouncer, postgres, rabbitmq, valkey
from testbed.parts.part_counts import UNKNOWN, PartCounts
from testbed.plan.behind import NONE, Behind, Nats, Postgres, RabbitMQ, Valkey

# How often a part that starts is asked.
INTERVAL_S = 0.1
# How long consumers may take to come: Python under a tenth of a CPU starts within a few seconds.
CONSUMERS_S = 30.0


class Client(Protocol):
    """Asks a running part."""

    def ready(self) -> bool:
        """Whether it does its work, all of it."""

    def read(self) -> PartCounts:
        """Its counts now. An OSError, one line, where it does not answer."""

    def close(self) -> None:
        """End whatever connection is kept."""


@dataclass(frozen=True)
class Kind:
    """How a part is asked: the port at which it answers, by what, and within how many seconds it has to be ready."""

    port: int
    client: Callable[[str, int, str], Client]
    ready_s: float


_POSTGRES = Kind(behind.POSTGRES_PORT, postgres.Postgres, postgres.READY_S)
_PGBOUNCER = Kind(behind.POSTGRES_PORT, pgbouncer.PgBouncer, pgbouncer.READY_S)
_VALKEY = Kind(behind.VALKEY_PORT, valkey.Valkey, valkey.READY_S)
_NATS = Kind(behind.NATS_PAGE_PORT, nats.Nats, nats.READY_S)
_RABBITMQ = Kind(behind.RABBITMQ_PAGE_PORT, rabbitmq.RabbitMQ, rabbitmq.READY_S)


def kinds(stands: Behind) -> dict[str, Kind]:
    """Every part that can be asked, by the name of its service, in the order in which they start."""
    found = _database(stands.database) if stands.database else {}
    match stands.part:
        case Valkey() as part:
            found |= dict.fromkeys(behind.valkeys(part), _VALKEY)
        case Nats():
            found[behind.NATS] = _NATS
        case RabbitMQ():
            found[behind.RABBITMQ] = _RABBITMQ
    return found


def _database(part: Postgres) -> dict[str, Kind]:
    if names := behind.shards(part):
        return dict.fromkeys((*names, behind.ROUTER), _POSTGRES)
    found = dict.fromkeys((behind.PRIMARY, *behind.standbys(part)), _POSTGRES)
    return found | ({behind.POOLER: _PGBOUNCER} if part.pooler != NONE else {})


class Standing:
    """The parts of one trial, by name, each with what asks it."""

    def __init__(self, found: Mapping[str, tuple[Kind, Client]]) -> None:
        self._found = found

    @classmethod
    def of(cls, stands: Behind, published: Callable[[str, int], tuple[str, int]], password: str) -> "Standing":
        """`published`: host and port at which a service's port answers here."""
        found: dict[str, tuple[Kind, Client]] = {}
        for name, kind in kinds(stands).items():
            host, port = published(name, kind.port)
            found[name] = kind, kind.client(host, port, password)
        return cls(found)

    def wait_until_ready(self, look: Callable[[], None]) -> str:
        """Return once all are; else which is not, in words. `look` is called between tries, and may raise."""
        began = time.monotonic()
        for name, (kind, client) in self._found.items():
            while not client.ready():
                look()
                if time.monotonic() - began > kind.ready_s:
                    return f"{name} was not ready within {kind.ready_s:g} s"
                time.sleep(INTERVAL_S)
        return ""

    def wait_for_consumers(self, count: int, look: Callable[[], None]) -> str:
        """Return once a broker knows so many of them: what is sent before that is not for those that come later. Else
        what is lacking, in words."""
        deadline = time.monotonic() + CONSUMERS_S
        while (there := self._consumers()) is None or there < count:
            look()
            if time.monotonic() > deadline:
                return f"{there or 0} of {count} consumers were there within {CONSUMERS_S:g} s"
            time.sleep(INTERVAL_S)
        return ""

    def _consumers(self) -> int | None:
        counts = [_read(client).consumers for _, client in self._found.values()]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None

    def read(self) -> dict[str, PartCounts]:
        """What each counts now; of one that does not answer nothing is known."""
        return {name: _read(client) for name, (_, client) in self._found.items()}

    def close(self) -> None:
        """Nothing more is asked."""
        for _, client in self._found.values():
            client.close()

    def left(self) -> int | None:
        """Messages that are in a broker or with its consumers. None: not known."""
        counts = [_read(client) for _, client in self._found.values()]
        numbers = [number for one in counts for number in (one.backlog, one.unacknowledged)]
        known = [number for number in numbers if number is not None]
        return sum(known) if known and len(known) == len(numbers) else None


def _read(client: Client) -> PartCounts:
    try:
        return client.read()
    except OSError:
        return UNKNOWN
