"""`python3 -m fronts.haproxy` prints the configuration of HAProxy, as a proxy of TCP connections or, with HTTP=on, of
HTTP, that follows from the environment.

Source: HAProxy's configuration manual 3.0, by the names of the keywords.
"""

import os
import sys

from fronts import haproxy_http
from fronts.settings import PAGE_PORT, PORT, Settings, check_tcp, refuse, write

RUNTIME_PORT = 9999

# Those who look at the page or ask by the runtime API, beside the clients.
_VISITORS = 32

# Nobody is there, by RFC 5737. A server without any address could not be told one later.
_NOWHERE = "192.0.2.1"

_TEMPLATE = """\
global
    maxconn {all_connections}
    # It sees the machine's processors and not the quota it runs under.
    nbthread {threads}
    # The runtime API: counters, and servers that join and leave.
    stats socket ipv4@:{runtime_port} level admin
    stats timeout 1d
    # When it is told to stop, so long for connections that are still open.
    hard-stop-after 1s

defaults
    mode tcp
    # Silence is not an error here, nor is waiting for a server: the load itself says for how long.
    timeout client 1d
    timeout server 1d
    timeout queue 1d
    # The kernel asks a full accept queue again after 1 and 3 s. Of a container that is gone it hears nothing at
    # all for half a minute, until it has forgotten where that was: it must not cost a client all that time.
    timeout connect 4s
    retries 3
    option redispatch 1
    # A check would be a connection: of a model that forks for each, a fork. So none goes to a server. Three
    # connections in a row that fail take a server out for 10 s; what is then checked is this process's own page.
    default-server observe layer4 error-limit 3 on-error mark-down
    default-server check addr 127.0.0.1 port {page_port} inter 10s rise 1

frontend clients
    bind :{port} backlog {backlog}
    maxconn {connections}
    default_backend servers

backend servers
    balance {balance}
{servers}

frontend page
    bind :{page_port}
    mode http
    timeout client 30s
    stats enable
    stats uri /
    stats refresh 2s
"""

_RESOLVERS = """
resolvers engine
    # Whom the engine tells every program of the container to ask.
    parse-resolv-conf
    accepted_payload_size 8192
    hold valid 1s
    hold obsolete 2s
"""


def configuration(settings: Settings) -> str:
    """The text of haproxy.cfg. Pure."""
    if settings.is_http:
        if settings.spare:
            refuse("SPARE_SERVERS", " ".join(settings.spare), "must be empty with HTTP=on")
    else:
        check_tcp(settings)
    filled = (haproxy_http.TEMPLATE if settings.is_http else _TEMPLATE).format(
        requests=haproxy_http.requests(settings) if settings.is_http else "",
        all_connections=settings.connections + _VISITORS,
        threads=settings.threads,
        runtime_port=RUNTIME_PORT,
        page_port=PAGE_PORT,
        port=PORT,
        backlog=settings.backlog,
        connections=settings.connections,
        balance=settings.balance,
        servers="\n".join(f"    {line}" for line in _servers(settings)),
        more=haproxy_http.backends(settings) if settings.is_http else "",
    )
    return filled + (_RESOLVERS if settings.dns else "")


def _servers(settings: Settings) -> list[str]:
    most = settings.services_connections[0] if settings.routes else settings.server_connections
    bound = haproxy_http.bound(most)
    port = settings.server_port
    if settings.dns:
        where = f"{settings.dns}:{port} resolvers engine init-addr none"
        return [f"server-template server- {settings.slots} {where}{bound}"]
    # Of several services the first has what no other path leads to.
    names = settings.servers[:1] if settings.routes else settings.servers
    there = [f"server {name} {name}:{port} init-addr libc{bound}" for name in names]
    # Told of by `set server servers/NAME addr ...`, and enabled by `set server servers/NAME state ready`.
    later = [f"server {name} {_NOWHERE}:{port} disabled{bound}" for name in settings.spare]
    return [*there, *later]


if __name__ == "__main__":
    sys.exit(write("haproxy", configuration, os.environ))
