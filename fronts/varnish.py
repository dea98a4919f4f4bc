"""`python3 -m fronts.varnish` prints the VCL of Varnish as a cache before the servers that the environment names, and
`python3 -m fronts.varnish start` becomes varnishd with it.

How long an item lives is the servers' word: max-age and stale-while-revalidate of their Cache-Control, and nothing is
kept without one. Source: varnish-cache.org, the reference manual of 7.7: vcl(7), varnishd(1).
"""

import os
import resource
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from fronts.settings import PORT, Settings, SettingsError, check_files, check_tcp, read, refuse, wait_for_names

# Its shared memory, where varnishstat finds its counters, and the VCL once it is compiled. Code is loaded from there.
WORKING_DIRECTORY = "/tmp/varnish"
_VCL = "/tmp/edge.vcl"

# Each request to a server takes a thread while it lasts, and so does its client where nothing is kept of the reply.
_MOST_THREADS = 500
_LEAST_THREADS = 100

_TEMPLATE = """\
vcl 4.1;

import directors;

{backends}

sub vcl_init {{
    new servers = directors.round_robin();
{members}
}}

sub vcl_recv {{
    set req.backend_hint = servers.backend();
    # What it does not know it hands on as it is, and never as a pipe: that would be no HTTP any more.
    if (req.method != "GET" && req.method != "HEAD") {{
        return (pass);
    }}
    return (hash);
}}

sub vcl_hash {{
    hash_data(req.url);
    return (lookup);
}}

sub vcl_deliver {{
    # One that waited until another's request had fetched the item has hit it.
    if (obj.uncacheable) {{
        set resp.http.X-Cache = "PASS";
    }} else if (obj.hits == 0) {{
        set resp.http.X-Cache = "MISS";
    }} else if (obj.ttl > 0s) {{
        set resp.http.X-Cache = "HIT";
    }} else {{
        set resp.http.X-Cache = "STALE";
    }}
    # They differ in every reply and tell a client nothing.
    unset resp.http.X-Varnish;
    unset resp.http.Via;
}}

sub vcl_synth {{
    set resp.http.X-Cache = "ERROR";
}}

sub vcl_backend_error {{
    set beresp.http.X-Cache = "ERROR";
}}
"""

_BACKEND = """\
backend server_{number} {{
    .host = "{host}";
    .port = "{port}";
    # The kernel asks a full accept queue again after 1 and 3 s.
    .connect_timeout = 4s;
    # Silence is not an error here: the load itself says for how long.
    .first_byte_timeout = 3600s;
    .between_bytes_timeout = 3600s;
}}"""


def check(settings: Settings) -> None:
    """SettingsError for what only others can."""
    check_tcp(settings)
    if settings.dns:
        refuse("SERVERS_DNS", settings.dns, "Varnish looks names up once, at its start; put the name into SERVERS")
    if settings.spare:
        refuse("SPARE_SERVERS", " ".join(settings.spare), "Varnish cannot be told of servers later")
    if settings.server_connections:
        refuse("SERVER_MAXCONN", settings.server_connections, "must be 0: Varnish has no queue for those above it")
    if settings.balance != "roundrobin":
        refuse("BALANCE", settings.balance, "must be roundrobin: Varnish has no other here")


def configuration(settings: Settings, addresses: Sequence[str]) -> str:
    """The VCL. Pure. `addresses`: of all servers; Varnish takes no name that has several."""
    check(settings)
    backends = [
        _BACKEND.format(number=number, host=host, port=settings.server_port)
        for number, host in enumerate(addresses, start=1)
    ]
    members = [f"    servers.add_backend(server_{number});" for number in range(1, len(addresses) + 1)]
    return _TEMPLATE.format(backends="\n".join(backends), members="\n".join(members))


def arguments(settings: Settings) -> list[str]:
    """The command line of varnishd. Pure."""
    parameters = {
        # Without the servers' word nothing is kept, and nothing is served beyond its time.
        "default_ttl": "0",
        "default_grace": "0",
        "default_keep": "0",
        "listen_depth": str(settings.backlog),
        "thread_pools": str(settings.threads),
        # With fewer than its usual hundred none is idle enough for a refresh in the background, and stale stays stale.
        "thread_pool_max": str(max(_LEAST_THREADS, _MOST_THREADS // settings.threads)),
        # Further requests wait; by default it closes the connections of those.
        "thread_queue_limit": "100000",
        "timeout_idle": "3600",
        # The log is a ring in memory that nobody reads here.
        "vsl_space": "2m",
    }
    told = [word for name, value in parameters.items() for word in ("-p", f"{name}={value}")]
    # No jail: it has no rights to give away.
    where = ("-n", WORKING_DIRECTORY, "-a", f":{PORT}", "-f", _VCL, "-s", "malloc,64m", "-T", "none")
    return ["varnishd", "-F", "-j", "none", *where, *told]


def _addresses(names: Sequence[str]) -> list[str]:
    """Of all servers, each once. SettingsError for a name that has none."""
    found: dict[str, None] = {}
    for name in names:
        try:
            answer = socket.getaddrinfo(name, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
        except OSError as error:
            raise SettingsError(f"SERVERS: {name} has no address: {error}") from None
        found |= dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answer)
    return list(found)


def main(words: Sequence[str]) -> int:
    """One line on standard error, and 2, where nothing follows from the environment."""
    try:
        settings = read(os.environ)
        check(settings)
        check_files(settings.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        wait_for_names(settings.servers, settings.names_timeout_s)
        text = configuration(settings, _addresses(settings.servers))
    except SettingsError as error:
        print(f"varnish: {error}", file=sys.stderr)
        return 2
    if list(words) != ["start"]:
        print(text, end="")
        return 0
    Path(_VCL).write_text(text, encoding="utf-8")
    command = arguments(settings)
    return os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
