"""RabbitMQ as a broker with one queue: whether it is ready, and its counters, by its page for Prometheus.

Source: the documentation of the plugin rabbitmq_prometheus of RabbitMQ 4.0. Parsing is pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.parts.asking import Address, PartError
from testbed.parts.page import page
from testbed.parts.part_counts import PartCounts

READY_S = 30.0
# Of the page; as in behind/rabbitmq.py.
COUNTERS_PORT = 15692

_PAGE = "/metrics"
_LINE = re.compile(r"^(?P<name>rabbitmq_\w+)(?:\{[^}]*\})? (?P<value>[0-9.e+]+)$", re.MULTILINE)


def parse(text: str) -> dict[str, int]:
    """Every count of the page by its name, the values of one name added up. Pure."""
    found: dict[str, int] = {}
    for line in _LINE.finditer(text):
        found[line["name"]] = found.get(line["name"], 0) + int(float(line["value"]))
    return found


def counts(found: Mapping[str, int]) -> PartCounts:
    """What is known of them. `backlog` and what goes with it is up to a second old. Pure."""
    return PartCounts(
        connections=found.get("rabbitmq_connections"),
        operations=found.get("rabbitmq_global_messages_received_total"),
        backlog=found.get("rabbitmq_queue_messages_ready"),
        unacknowledged=found.get("rabbitmq_queue_messages_unacked"),
        redelivered=found.get("rabbitmq_global_messages_redelivered_total"),
        consumers=found.get("rabbitmq_queue_consumers"),
        memory_bytes=found.get("rabbitmq_process_resident_memory_bytes"),
    )


@dataclass(frozen=True)
class RabbitMQ:
    """A running RabbitMQ, asked at the port of its page, which asks for no password."""

    host: str
    port: int
    password: str = ""
    name: str = "rabbitmq"

    def ready(self) -> bool:
        """Whether it does its work: the queue is there."""
        try:
            found = parse(page(Address(self.name, self.port, self.host), _PAGE))
        except PartError:
            return False
        return found.get("rabbitmq_queues") == 1

    def close(self) -> None:
        """Nothing is kept."""

    def read(self) -> PartCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return counts(parse(page(Address(self.name, self.port, self.host), _PAGE)))
