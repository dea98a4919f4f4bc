"""The configuration of HAProxy as a gateway of HTTP before the servers; `fronts.haproxy` fills it in with HTTP=on.

Source: HAProxy's configuration manual 3.0, by the names of the keywords.
"""

from fronts.settings import Settings

ROUTE = "to-"
"""Before the name of a service that has a path of its own: what its backend is called."""

TEMPLATE = """\
global
    maxconn {all_connections}
    # It sees the machine's processors and not the quota it runs under.
    nbthread {threads}
    # The runtime API: counters.
    stats socket ipv4@:{runtime_port} level admin
    stats timeout 1d
    # When it is told to stop, so long for connections that are still open.
    hard-stop-after 1s

defaults
    mode http
    # Silence is not an error here: the load itself says for how long. A head has to come all the same.
    timeout client 1d
    timeout server 1d
    timeout queue 1d
    timeout http-keep-alive 1d
    timeout http-request 10s
    # The kernel asks a full accept queue again after 1 and 3 s.
    timeout connect 4s
    # Of connections to servers: whoever is free next takes one that is open.
    http-reuse always
    retries 3
    option redispatch 1
    # As in fronts/haproxy.py: what is checked is this process's own page, and three connections in a row that fail
    # take a server out for 10 s.
    default-server observe layer4 error-limit 3 on-error mark-down
    default-server check addr 127.0.0.1 port {page_port} inter 10s rise 1

frontend clients
    bind :{port} backlog {backlog}
    maxconn {connections}
{requests}
    default_backend servers

backend servers
    balance {balance}
{servers}
{more}
frontend page
    bind :{page_port}
    timeout client 30s
    stats enable
    stats uri /
    stats refresh 2s
"""


def requests(settings: Settings) -> str:
    """What is asked of each request before it goes on, in this order. Pure."""
    lines: list[str] = []
    if settings.api_key:
        # Not `deny`, whose count is that of the limit below.
        said = 'return status 401 content-type text/plain string "no key"'
        lines.append(f"http-request {said} unless {{ req.hdr(X-Api-Key) -m str {settings.api_key} }}")
    if settings.rate_limit:
        # Only what goes through is counted: counting what is refused too, a load above the limit would get nothing.
        # The rate is that of the last second, the part of the one before it that is still within it included.
        lines += [
            "stick-table type integer size 1 expire 1d store gpc0,gpc0_rate(1s)",
            "http-request track-sc0 int(1)",
            f"http-request deny deny_status 429 if {{ sc0_gpc0_rate ge {round(settings.rate_limit)} }}",
            "http-request sc-inc-gpc0(0)",
        ]
    if settings.routes:
        lines += [
            f"use_backend {ROUTE}{name} if {{ path /{name} }} || {{ path_beg /{name}/ }}" for name in settings.servers
        ]
    return "\n".join(f"    {line}" for line in lines)


def backends(settings: Settings) -> str:
    """Of each service with a path of its own. The first one has all other paths as well. Pure."""
    if not settings.routes:
        return ""
    port = settings.server_port
    bounds = zip(settings.servers, settings.services_connections, strict=True)
    return "".join(
        f"\nbackend {ROUTE}{name}\n    server {name} {name}:{port} init-addr libc{bound(most)}\n"
        for name, most in bounds
    )


def bound(connections: int) -> str:
    """What a line of a server ends with. Pure."""
    return f" maxconn {connections}" if connections else ""
