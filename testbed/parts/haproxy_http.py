"""HAProxy as a gateway of HTTP: its counters, by its runtime API.

Of a server `stot` are requests, and `connect` the connections that were made for them. Source: HAProxy's management
guide 3.0, section 9.1. Parsing is pure.
"""

from dataclasses import replace

from testbed.parts import haproxy
from testbed.parts.asking import Asked
from testbed.parts.counts import FrontCounts, RequestCounts, ServerCounts
from testbed.parts.haproxy import SERVERS


def parse(text: str) -> FrontCounts:
    """The counts out of the answer to `show stat`; of what is not in it, nothing is known."""
    counts = haproxy.parse(text)
    rows = [row for row in haproxy.rows(text) if row["pxname"] == SERVERS and row["svname"] != "BACKEND"]
    if not counts.servers or not rows:
        return counts
    servers: dict[str, ServerCounts] = {}
    for row in rows:
        name = row["svname"]
        servers[name] = replace(counts.servers[name], connections=haproxy.number(row, "connect"))
    return replace(
        counts,
        servers=servers,
        requests=RequestCounts(
            fetched=haproxy.sum_of(rows, "hrsp_2xx"),
            refreshed=0,
            connections=haproxy.sum_of(rows, "connect"),
            failed=haproxy.sum_of(rows, "econ"),
        ),
    )


class HAProxyHttp:
    """A running HAProxy that was told to speak HTTP. PartError, an OSError, where it does not answer."""

    def __init__(self, address: Asked) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now."""
        return parse(self._address.ask("show stat\n"))
