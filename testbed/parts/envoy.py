"""Envoy as a proxy of HTTP: its counters, by its admin page.

Source: envoyproxy.io, "Cluster manager" and "HTTP connection manager" under statistics. Parsing is pure.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from testbed.parts.asking import Address
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts, ServerCounts
from testbed.parts.page import json_page, page, whole

# Of the admin page; as in fronts/settings.py.
COUNTERS_PORT = 8404
# As in fronts/envoy.py.
_CLUSTER = re.compile(r"cluster[.](servers|to-[a-z0-9-]+)[.](?P<name>[a-z0-9_]+)")
_CLIENTS = "http.clients."
# Of its runtime; the filter that obeys it has a sidecar alone.
_FAULT = "fault.http"
_LISTENER = "listener.0.0.0.0_8081."
# By what is over: requests at servers at once, and those that wait for a connection.
_OVERFLOWS = ("upstream_rq_active_overflow", "upstream_rq_pending_overflow")
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
            tried=_of_clusters(count, "upstream_rq_total"),
            retried=_of_clusters(count, "upstream_rq_retry"),
            asked=count.get(f"{_CLIENTS}downstream_rq_total"),
            refused=_refused(count),
        ),
    )


def _refused(count: Mapping[str, int]) -> int | None:
    found = [_of_clusters(count, name) for name in _OVERFLOWS]
    known = [one for one in found if one is not None]
    return sum(known) if len(known) == len(found) else None


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
                connections=stats.get("cx_total"),
                open=stats.get("cx_active"),
                failed=stats.get("cx_connect_fail"),
                is_ejected=bool((host.get("health_status") or {}).get("failed_outlier_check")),
            )
    return found


class Envoy:
    """A running Envoy. It cannot be told of servers: it knows those that its names have."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def read(self) -> FrontCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return parse(json_page(self._address, _ASKED), self._clusters())

    def ejected(self) -> frozenset[str]:
        """The servers that it gives nothing now. PartError as of `read`."""
        return frozenset(name for name, server in _servers(self._clusters()).items() if server.is_ejected)

    def _clusters(self) -> dict[str, Any]:
        return json_page(self._address, "/clusters?format=json")

    def fail(self, share: float) -> None:
        """Of a sidecar: it answers this share of requests with 503 from now on, in whole percents; 0: none. PartError
        as of `read`."""
        self._tell(f"{_FAULT}.abort.abort_percent={round(100 * share)}")

    def delay(self, by_us: int, share: float) -> None:
        """Of a sidecar: this share of requests waits so long, in whole milliseconds, likewise."""
        ms = math.ceil(by_us / 1000)
        self._tell(f"{_FAULT}.delay.fixed_delay_percent={round(100 * share)}&{_FAULT}.delay.fixed_duration_ms={ms}")

    def _tell(self, what: str) -> None:
        page(self._address, f"/runtime_modify?{what}", "POST")
