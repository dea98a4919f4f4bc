"""NATS as a broker: whether it is ready, and its counters, by its monitoring page.

Source: the endpoints /varz, /jsz and /subsz of nats-server 2.10. Parsing is pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from testbed.parts.asking import Address, PartError
from testbed.parts.page import json_page, whole
from testbed.parts.part_counts import PartCounts

READY_S = 10.0
# Of the page; as in behind/nats.py.
COUNTERS_PORT = 8222

_SERVER = "/varz"
_STREAMS = "/jsz?consumers=true"
# Those that would get a message of this subject; it has others of its own.
_SUBSCRIBERS = "/subsz?subs=1&test=threadmill.news"


def counts(server: Mapping[str, Any], queue: Mapping[str, Any] | None, news: Mapping[str, Any] | None) -> PartCounts:
    """The counts out of /varz, and of /jsz where it has a work queue or else of /subsz. Pure.

    `operations` are messages that came in, those of its own interface, such as acknowledgements, included. `consumers`
    are subscribers, or those that wait for a task now.
    """
    found = PartCounts(
        connections=whole(server.get("connections")),
        connections_most=whole(server.get("max_connections")),
        operations=whole(server.get("in_msgs")),
        dropped=whole(server.get("slow_consumers")),
        memory_bytes=whole(server.get("mem")),
    )
    if queue is None:
        # It leaves a 0 out.
        return replace(found, consumers=None if news is None else whole(news.get("total", 0)))
    workers = list(_workers(queue))
    return replace(
        found,
        backlog=_total(workers, "num_pending"),
        unacknowledged=_total(workers, "num_ack_pending"),
        redelivered=_total(workers, "num_redelivered"),
        consumers=_total(workers, "num_waiting"),
    )


def _workers(streams: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for account in streams.get("account_details") or []:
        for stream in account.get("stream_detail") or []:
            yield from stream.get("consumer_detail") or []


def _total(workers: list[Mapping[str, Any]], key: str) -> int | None:
    known = [number for worker in workers if (number := whole(worker.get(key))) is not None]
    return sum(known) if workers and len(known) == len(workers) else None


@dataclass(frozen=True)
class Nats:
    """A running NATS server, asked at the port of its page, which asks for no password."""

    host: str
    port: int
    password: str = ""
    name: str = "nats"

    def ready(self) -> bool:
        """Whether it does its work: with a stream, whether that and its consumer are there."""
        try:
            server, queue, _ = self._pages()
        except PartError:
            return False
        return "in_msgs" in server and (queue is None or bool(list(_workers(queue))))

    def close(self) -> None:
        """Nothing is kept."""

    def read(self) -> PartCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return counts(*self._pages())

    def _pages(self) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
        address = Address(self.name, self.port, self.host)
        server = json_page(address, _SERVER)
        if (server.get("jetstream") or {}).get("config"):
            return server, json_page(address, _STREAMS), None
        return server, None, json_page(address, _SUBSCRIBERS)
