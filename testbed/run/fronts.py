"""The fronts of a trial, once its containers were started: who asks them, and what they have counted."""

from collections.abc import Mapping

from testbed.parts import front
from testbed.parts.asking import Address
from testbed.parts.counts import FrontCounts
from testbed.parts.front import FRONTS, Client
from testbed.plan.cell import Cell
from testbed.stack.engine import Engine


class Fronts:
    """Those of their own: a name with several addresses is none."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        """`clients`: by the front's service."""
        self._clients = clients

    @classmethod
    def of(cls, cell: Cell, engine: Engine, run_id: str) -> "Fronts":
        """Of a trial without any, none. ContainerGone, EngineGone where that is over already."""
        if not cell.is_proxied:
            return cls({})
        kind = FRONTS[cell.front]
        clients: dict[str, Client] = {}
        for name in front.names(cell):
            host, port = engine.published(run_id, name, kind.counters)
            clients[name] = kind.client(Address(kind.name, port, host))
        return cls(clients)

    @property
    def only(self) -> Client | None:
        """The one that stands before the servers; None where there is none, or there are several."""
        return next(iter(self._clients.values())) if len(self._clients) == 1 else None

    def read(self) -> dict[str, FrontCounts | None]:
        """What each has counted, by its name; None where one does not say."""
        return {name: _counts(client) for name, client in self._clients.items()}


def _counts(client: Client) -> FrontCounts | None:
    try:
        return client.read()
    except OSError:
        return None
