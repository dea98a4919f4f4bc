"""What Envoy does about servers that fail, and what it does wrong itself on purpose: parts of its configuration. Pure.

Source: envoyproxy.io, the reference of API version 3 as of Envoy 1.40: retry policies, circuit breakers, outlier
detection and the fault filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fronts.settings import switch, whole

# By default a cluster has room for 1,024 connections and as many requests: a bound that nobody has asked for.
NO_BOUND = 1_000_000_000
# How often servers are looked at that were ejected.
_LOOK_S = 0.5
# A further try may be given to the server that has failed just now: so often another is looked for.
_CHOICES = 5
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True)
class Mesh:
    """All off where nothing is said."""

    timeout_ms: int = 0
    """For a reply to each try; 0: for ever."""
    retries: int = 0
    breaker: int = 0
    """At most so many requests at all servers at once; 0: no bound."""
    eject: int = 0
    """After so many errors in a row a server is given nothing; 0: never."""
    eject_for_ms: int = 3_000
    is_sidecar: bool = False
    """Whether it can be told, at its admin page, to answer 503 or to wait in place of its server."""


def read(environment: Mapping[str, str]) -> Mesh:
    """SettingsError, one line, for a value out of bounds."""
    env = {name: value.strip() for name, value in environment.items() if value.strip()}
    return Mesh(
        timeout_ms=whole(env, "TRY_TIMEOUT_MS", 0, 0, 60_000),
        retries=whole(env, "RETRIES", 0, 0, 5),
        breaker=whole(env, "BREAKER", 0, 0, 100_000),
        eject=whole(env, "EJECT", 0, 0, 1_000),
        eject_for_ms=whole(env, "EJECT_FOR_MS", 3_000, 100, 3_600_000),
        is_sidecar=switch(env, "SIDECAR"),
    )


def route(mesh: Mesh) -> dict[str, Any]:
    """Of an action of a route. Without a time-out of its own a request has that of its tries."""
    if not mesh.timeout_ms and not mesh.retries:
        return {}
    policy: dict[str, Any] = {"num_retries": mesh.retries}
    if mesh.timeout_ms:
        policy["per_try_timeout"] = _seconds(mesh.timeout_ms)
    if mesh.retries:
        name = "envoy.retry_host_predicates.previous_hosts"
        kind = f"{_EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate"
        policy |= {
            "retry_on": "gateway-error,reset,connect-failure,refused-stream",
            "retry_host_predicate": [{"name": name, "typed_config": {"@type": kind}}],
            "host_selection_retry_max_attempts": _CHOICES,
        }
    return {"retry_policy": policy}


def cluster(mesh: Mesh, most: int) -> dict[str, Any]:
    """Of a cluster, breakers included. `most`: connections to each server at most; 0: no bound."""
    bounds = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), NO_BOUND)
    if mesh.breaker:
        bounds |= {"max_requests": mesh.breaker}
    breakers: dict[str, Any] = {"thresholds": [{"priority": "DEFAULT", **bounds}]}
    if most:
        breakers["per_host_thresholds"] = [{"priority": "DEFAULT", "max_connections": most}]
    return {"circuit_breakers": breakers, **_outliers(mesh)}


def _outliers(mesh: Mesh) -> dict[str, Any]:
    if not mesh.eject:
        return {}
    return {
        "outlier_detection": {
            "consecutive_5xx": mesh.eject,
            "enforcing_consecutive_5xx": 100,
            "interval": f"{_LOOK_S:g}s",
            "base_ejection_time": _seconds(mesh.eject_for_ms),
            "max_ejection_percent": 100,
            # What it would compare servers by, each with more of them than there are here.
            "enforcing_success_rate": 0,
            "enforcing_failure_percentage": 0,
        },
        # With half of them ejected it would ask all again, as if nothing had been found out.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def filters(mesh: Mesh) -> list[dict[str, Any]]:
    """What each request goes through before it is handed on."""
    if not mesh.is_sidecar:
        return []
    # Both of no request, until its runtime says otherwise: fault.http.abort.abort_percent, and so on.
    none = {"numerator": 0, "denominator": "HUNDRED"}
    fault = {
        "@type": f"{_EXTENSIONS}.filters.http.fault.v3.HTTPFault",
        "abort": {"http_status": 503, "percentage": none},
        "delay": {"fixed_delay": "1s", "percentage": none},
    }
    return [{"name": "envoy.filters.http.fault", "typed_config": fault}]


def runtime(mesh: Mesh) -> dict[str, Any]:
    """Of the bootstrap: what can be told while it runs."""
    return {"layered_runtime": {"layers": [{"name": "told", "admin_layer": {}}]}} if mesh.is_sidecar else {}


def _seconds(ms: int) -> str:
    return f"{ms / 1000:g}s"
