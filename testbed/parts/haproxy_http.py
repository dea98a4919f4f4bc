"""HAProxy as a gateway of HTTP: its counters, by its runtime API.

Of a server `stot` are requests, and `connect` the connections that were made for them. Source: HAProxy's management
guide 3.0, section 9.1. Parsing is pure.
"""

from dataclasses import replace

from testbed.parts import haproxy
from testbed.parts.asking import Asked
from testbed.parts.counts import FrontCounts, RequestCounts, ServerCounts
from testbed.parts.haproxy import CLIENTS, SERVERS

ROUTE = "to-"
"""Before the name of a service that has a path of its own; as in fronts/haproxy_http.py."""


def parse(text: str) -> FrontCounts:
    """The counts out of the answer to `show stat`; of what is not in it, nothing is known."""
    counts = haproxy.parse(text)
    every = list(haproxy.rows(text))
    rows = [row for row in every if _is_of_servers(row["pxname"]) and row["svname"] != "BACKEND"]
    clients = next((row for row in every if (row["pxname"], row["svname"]) == (CLIENTS, "FRONTEND")), {})
    if not counts.servers or not rows:
        return counts
    return replace(
        counts,
        servers=_servers(rows),
        limited=haproxy.number(clients, "dreq"),
        requests=RequestCounts(
            fetched=haproxy.sum_of(rows, "hrsp_2xx"),
            refreshed=0,
            connections=haproxy.sum_of(rows, "connect"),
            failed=haproxy.sum_of(rows, "econ"),
        ),
    )


def _is_of_servers(proxy: str) -> bool:
    return proxy == SERVERS or proxy.startswith(ROUTE)


def _servers(rows: list[dict[str, str]]) -> dict[str, ServerCounts]:
    """By name. The first of several services has a path of its own, and all that no other has: of both together."""
    found: dict[str, ServerCounts] = {}
    for name in dict.fromkeys(row["svname"] for row in rows):
        of = [row for row in rows if row["svname"] == name]
        found[name] = ServerCounts(
            connections=haproxy.sum_of(of, "connect"),
            open=haproxy.sum_of(of, "scur"),
            waiting=haproxy.sum_of(of, "qcur"),
            failed=haproxy.sum_of(of, "econ"),
        )
    return found


class HAProxyHttp:
    """A running HAProxy that was told to speak HTTP. PartError, an OSError, where it does not answer."""

    def __init__(self, address: Asked) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now."""
        return parse(self._address.ask("show stat\n"))
