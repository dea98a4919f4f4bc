"""Envoy as a proxy of HTTP: its counters, by its admin page.

Source: envoyproxy.io, "Cluster manager" and "HTTP connection manager" under statistics. Parsing is pure.
"""

import re
from collections.abc import Mapping
from typing import Any

from testbed.parts.asking import Address
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts, ServerCounts
from testbed.parts.page import json_page, whole

# Of the admin page; as in fronts/settings.py.
COUNTERS_PORT = 8404
# As in fronts/envoy.py.
_CLUSTER = re.compile(r"cluster[.](servers|to-[a-z0-9-]+)[.](?P<name>[a-z0-9_]+)")
_CLIENTS = "http.clients."
_LISTENER = "listener.0.0.0.0_8081."
_LIMITED = "limit.http_local_rate_limit.rate_limited"
_ASKED = (
    "/stats?format=json&filter=^(cluster[.](servers|to-[a-z0-9-]*)|http.clients|listener.0.0.0.0_8081"
    "|limit.http_local_rate_limit)[.][a-z0-9_]*$"
)


def parse(stats: Mapping[str, Any], clusters: Mapping[str, Any]) -> FrontCounts:
    """The counts out of the JSON of /stats and of /clusters; of what is not in them, nothing is known."""
    count = counters(stats)
    if not count:
        return UNKNOWN
    return FrontCounts(
        connections=count.get(f"{_CLIENTS}downstream_cx_total"),
        open=count.get(f"{_CLIENTS}downstream_cx_active"),
        dropped=count.get(f"{_LISTENER}downstream_global_cx_overflow"),
        limited=count.get(_LIMITED, 0),
        servers=_servers(clusters),
        requests=RequestCounts(
            # There is none before the first.
            fetched=_of_clusters(count, "upstream_rq_2xx") or 0,
            refreshed=0,
            connections=_of_clusters(count, "upstream_cx_total"),
            failed=_of_clusters(count, "upstream_cx_connect_fail"),
        ),
    )


def _of_clusters(count: Mapping[str, int], name: str) -> int | None:
    """Of all servers together; None where none is counted."""
    found = [value for key, value in count.items() if (of := _CLUSTER.fullmatch(key)) and of["name"] == name]
    return sum(found) if found else None


def counters(stats: Mapping[str, Any]) -> dict[str, int]:
    """By name, what has a whole number."""
    listed = stats.get("stats")
    pairs = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    values = {str(one.get("name")): whole(one.get("value")) for one in pairs}
    return {name: value for name, value in values.items() if value is not None}


def _servers(clusters: Mapping[str, Any]) -> dict[str, ServerCounts]:
    found: dict[str, ServerCounts] = {}
    for cluster in clusters.get("cluster_statuses") or []:
        for host in cluster.get("host_statuses") or []:
            # A number that is a string: JSON has none of 64 bits. What is zero has no value.
            stats = {one.get("name"): int(one.get("value", 0)) for one in host.get("stats") or []}
            found[str(host.get("hostname"))] = ServerCounts(
                connections=stats.get("cx_total"), open=stats.get("cx_active"), failed=stats.get("cx_connect_fail")
            )
    return found


class Envoy:
    """A running Envoy. It cannot be told of servers: it knows those that its names have."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return parse(json_page(self._address, _ASKED), json_page(self._address, "/clusters?format=json"))
