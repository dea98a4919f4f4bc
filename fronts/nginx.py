"""`python3 -m fronts.nginx` prints the configuration of nginx, as a proxy of TCP connections or, with CACHE=on, as a
cache of HTTP, that follows from the environment.

Source: nginx.org, modules ngx_stream_upstream, ngx_stream_proxy and ngx_http_stub_status.
"""

import os
import sys

from fronts import nginx_cache
from fronts.settings import PAGE_PORT, PORT, Settings, check_tcp, refuse, write

# Of one worker, beside clients: what it listens on, those who look at the page, the other workers, logs.
_OTHER_CONNECTIONS = 32

_BALANCES = {"roundrobin": "", "leastconn": "least_conn;", "source": "hash $remote_addr;"}

_TEMPLATE = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid /tmp/nginx.pid;
error_log stderr warn;
# It sees the machine's processors and not the quota it runs under.
worker_processes {threads};
worker_rlimit_nofile {files};
events {{
    # A client's and a server's for each, and one worker may get them all.
    worker_connections {worker_connections};
}}

stream {{
    upstream servers {{
        zone servers 256k;{balance}
{servers}
    }}
    server {{
        listen {port} backlog={backlog};
        proxy_pass servers;
        # The kernel asks a full accept queue again after 1 and 3 s. Of a container that is gone it hears nothing at
        # all for half a minute, until it has forgotten where that was: it must not cost a client all that time.
        proxy_connect_timeout 4s;
        # Silence is not an error here: the load itself says for how long.
        proxy_timeout 1d;
    }}
}}

http {{
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {{
        listen {page_port};
        # One request for each connection: so what is left of all connections are the clients'.
        keepalive_timeout 0;
        location / {{
            stub_status;
        }}
    }}
}}
"""


def configuration(settings: Settings) -> str:
    """The text of nginx.conf. Pure. SettingsError for what only HAProxy can."""
    if settings.dns:
        refuse("SERVERS_DNS", settings.dns, "nginx looks names up once, at its start; put the name into SERVERS")
    if settings.spare:
        refuse("SPARE_SERVERS", " ".join(settings.spare), "nginx cannot be told of servers later")
    if settings.server_connections:
        refuse("SERVER_MAXCONN", settings.server_connections, "must be 0: nginx has no queue for those above it")
    check_tcp(settings)
    connections = 2 * settings.connections + _OTHER_CONNECTIONS
    # A server that could not be reached three times is left out for 10 s, as HAProxy does here.
    servers = [f"server {name}:{settings.server_port} max_fails=3 fail_timeout=10s;" for name in settings.servers]
    balance = _BALANCES[settings.balance]
    return (nginx_cache.TEMPLATE if settings.is_cache else _TEMPLATE).format(
        threads=settings.threads,
        files=connections + _OTHER_CONNECTIONS,
        worker_connections=connections,
        balance=f"\n        {balance}" if balance else "",
        servers="\n".join(f"        {line}" for line in servers),
        port=PORT,
        backlog=settings.backlog,
        page_port=PAGE_PORT,
    )


if __name__ == "__main__":
    sys.exit(write("nginx", configuration, os.environ))
