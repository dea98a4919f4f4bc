"""`python3 -m fronts.envoy` prints the configuration of Envoy as a proxy of HTTP before the servers that the
environment names, and `python3 -m fronts.envoy start` becomes Envoy with it.

Source: envoyproxy.io, the reference of API version 3 as of Envoy 1.40.
"""

import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fronts import envoy_mesh
from fronts.envoy_mesh import Mesh
from fronts.settings import PAGE_PORT, PORT, Settings, SettingsError, check_files, read, refuse, wait_for_names

CLUSTER = "servers"
CLIENTS = "clients"
LIMIT = "limit"
"""Of its counters: what comes before those of requests to the servers, of clients, and of what the limit refuses."""
ROUTE = "to-"
"""Before the name of a service that has a path of its own: what its cluster is called."""

_CONFIGURATION = "/tmp/envoy.json"
_BALANCES = {"roundrobin": "ROUND_ROBIN", "leastconn": "LEAST_REQUEST", "source": "RING_HASH"}
_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_MONITORS = f"{_EXTENSIONS}.resource_monitors"
_UPSTREAM_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def check(settings: Settings) -> None:
    """SettingsError for what only others can."""
    if settings.spare:
        refuse("SPARE_SERVERS", " ".join(settings.spare), "Envoy cannot be told of servers later")


def configuration(settings: Settings, mesh: Mesh = Mesh()) -> dict[str, Any]:  # noqa: B008 - frozen
    """The bootstrap file, as JSON has it. Pure."""
    check(settings)
    return {
        "admin": {"address": _address("0.0.0.0", PAGE_PORT)},
        # It closes at once what is more: unlike other fronts it has no queue for connections.
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.connections,
                    },
                }
            ]
        },
        **envoy_mesh.runtime(mesh),
        "static_resources": {"listeners": [_listener(settings, mesh)], "clusters": _clusters(settings, mesh)},
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _listener(settings: Settings, mesh: Mesh) -> dict[str, Any]:
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": CLIENTS,
        "codec_type": "HTTP1",
        # What a server says stays as it says it, and nothing is added that is not HTTP's own.
        "server_header_transformation": "PASS_THROUGH",
        "generate_request_id": False,
        # Silence is not an error here: the load itself says for how long. A head has to come all the same.
        "stream_idle_timeout": "0s",
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {"idle_timeout": "0s"},
        "http_filters": [*_limit(settings), *envoy_mesh.filters(mesh), _router()],
        "route_config": {
            "name": CLUSTER,
            "virtual_hosts": [{"name": CLUSTER, "domains": ["*"], "routes": _routes(settings, mesh)}],
        },
    }
    return {
        "name": CLIENTS,
        "address": _address("0.0.0.0", PORT),
        "tcp_backlog_size": settings.backlog,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _limit(settings: Settings) -> list[dict[str, Any]]:
    """A bucket of what may go through within a tenth of a second, that all clients draw from."""
    if not settings.rate_limit:
        return []
    tokens = max(1, round(settings.rate_limit / 10))
    config = {
        "@type": f"{_EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": LIMIT,
        "token_bucket": {
            "max_tokens": tokens,
            "tokens_per_fill": tokens,
            "fill_interval": f"{tokens / settings.rate_limit:.9f}s",
        },
        "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        "filter_enforced": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
    }
    return [{"name": "envoy.filters.http.local_ratelimit", "typed_config": config}]


def _router() -> dict[str, Any]:
    config = {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return {"name": "envoy.filters.http.router", "typed_config": config}


def _routes(settings: Settings, mesh: Mesh) -> list[dict[str, Any]]:
    """The first that matches has a request. Whoever shows no key is told so before anything is limited."""
    routes: list[dict[str, Any]] = []
    if settings.api_key:
        lacking = {"name": "x-api-key", "string_match": {"exact": settings.api_key}, "invert_match": True}
        routes.append(
            {
                "match": {"prefix": "/", "headers": [{**lacking, "treat_missing_header_as_empty": True}]},
                "direct_response": {"status": 401, "body": {"inline_string": "no key"}},
                # None of those counts against the limit.
                "typed_per_filter_config": _unlimited() if settings.rate_limit else {},
            }
        )
    if settings.routes:
        routes += [
            {"match": {"path_separated_prefix": f"/{name}"}, "route": _to(f"{ROUTE}{name}", settings, mesh)}
            for name in settings.servers
        ]
        return [*routes, {"match": {"prefix": "/"}, "route": _to(f"{ROUTE}{settings.servers[0]}", settings, mesh)}]
    return [*routes, {"match": {"prefix": "/"}, "route": _to(CLUSTER, settings, mesh)}]


def _unlimited() -> dict[str, Any]:
    config = {
        "@type": f"{_EXTENSIONS}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": f"{LIMIT}_no_key",
        # It has to have one, enabled or not.
        "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "1s"},
        "filter_enabled": {"default_value": {"numerator": 0, "denominator": "HUNDRED"}},
    }
    return {"envoy.filters.http.local_ratelimit": config}


def _to(cluster: str, settings: Settings, mesh: Mesh) -> dict[str, Any]:
    route: dict[str, Any] = {"cluster": cluster, "timeout": "0s", **envoy_mesh.route(mesh)}
    if settings.balance == "source":
        route["hash_policy"] = [{"connection_properties": {"source_ip": True}}]
    return route


def _clusters(settings: Settings, mesh: Mesh) -> list[dict[str, Any]]:
    """One, or one for each service with a path of its own."""
    if settings.routes:
        bounds = zip(settings.servers, settings.services_connections, strict=True)
        return [_cluster(f"{ROUTE}{name}", [name], most, settings, mesh) for name, most in bounds]
    names = [settings.dns] if settings.dns else list(settings.servers)
    return [_cluster(CLUSTER, names, settings.server_connections, settings, mesh)]


def _cluster(called: str, names: Sequence[str], most: int, settings: Settings, mesh: Mesh) -> dict[str, Any]:
    """`most`: connections at once to each server, further requests wait here; 0: no bound."""
    http = {
        "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "0s"},
    }
    endpoints = [{"endpoint": {"hostname": name, "address": _address(name, settings.server_port)}} for name in names]
    return {
        "name": called,
        # Names are looked up again and again; all addresses of one are servers.
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_ONLY",
        # The kernel asks a full accept queue again after 1 and 3 s.
        "connect_timeout": "4s",
        "lb_policy": _BALANCES[settings.balance],
        **envoy_mesh.cluster(mesh, most),
        "typed_extension_protocol_options": {_UPSTREAM_HTTP: http},
        "load_assignment": {"cluster_name": called, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def arguments(settings: Settings) -> list[str]:
    """Its command line. Pure."""
    return [
        *("envoy", "--config-path", _CONFIGURATION, "--log-level", "warning", "--disable-hot-restart"),
        # It sees the machine's processors and not the quota it runs under.
        *("--concurrency", str(settings.threads)),
    ]


def main(words: Sequence[str]) -> int:
    """One line on standard error, and 2, where nothing follows from the environment."""
    try:
        settings = read(os.environ)
        text = json.dumps(configuration(settings, envoy_mesh.read(os.environ)), indent=1)
        check_files(settings.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        wait_for_names(settings.servers, settings.names_timeout_s)
    except SettingsError as error:
        print(f"envoy: {error}", file=sys.stderr)
        return 2
    if list(words) != ["start"]:
        print(text)
        return 0
    Path(_CONFIGURATION).write_text(text, encoding="utf-8")
    command = arguments(settings)
    return os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
