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
"""Of its counters: what comes before those of requests to the servers, and of clients."""

_CONFIGURATION = "/tmp/envoy.json"
_BALANCES = {"roundrobin": "ROUND_ROBIN", "leastconn": "LEAST_REQUEST", "source": "RING_HASH"}
_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_MONITORS = f"{_EXTENSIONS}.resource_monitors"
_UPSTREAM_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def check(settings: Settings) -> None:
    """SettingsError for what only others can."""
    if settings.spare:
        refuse("SPARE_SERVERS", " ".join(settings.spare), "Envoy cannot be told of servers later")
    if settings.server_connections:
        refuse("SERVER_MAXCONN", settings.server_connections, "must be 0: Envoy has no queue for those above it")


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
        "static_resources": {"listeners": [_listener(settings, mesh)], "clusters": [_cluster(settings, mesh)]},
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
        "http_filters": _filters(mesh),
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


def _filters(mesh: Mesh) -> list[dict[str, Any]]:
    """What each request goes through, in this order."""
    router = {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return [*envoy_mesh.filters(mesh), {"name": "envoy.filters.http.router", "typed_config": router}]


def _routes(settings: Settings, mesh: Mesh) -> list[dict[str, Any]]:
    route: dict[str, Any] = {"cluster": CLUSTER, "timeout": "0s", **envoy_mesh.route(mesh)}
    if settings.balance == "source":
        route["hash_policy"] = [{"connection_properties": {"source_ip": True}}]
    return [{"match": {"prefix": "/"}, "route": route}]


def _cluster(settings: Settings, mesh: Mesh) -> dict[str, Any]:
    names = [settings.dns] if settings.dns else list(settings.servers)
    http = {
        "@type": f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": {"idle_timeout": "0s"},
    }
    endpoints = [{"endpoint": {"hostname": name, "address": _address(name, settings.server_port)}} for name in names]
    return {
        "name": CLUSTER,
        # Names are looked up again and again; all addresses of one are servers.
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_ONLY",
        "dns_refresh_rate": "1s",
        # The kernel asks a full accept queue again after 1 and 3 s.
        "connect_timeout": "4s",
        "lb_policy": _BALANCES[settings.balance],
        **envoy_mesh.cluster(mesh),
        "typed_extension_protocol_options": {_UPSTREAM_HTTP: http},
        "load_assignment": {"cluster_name": CLUSTER, "endpoints": [{"lb_endpoints": endpoints}]},
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
