"""The configuration of HAProxy as a gateway of HTTP before the servers; `fronts.haproxy` fills it in with HTTP=on.

Source: HAProxy's configuration manual 3.0, by the names of the keywords.
"""

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
    default_backend servers

backend servers
    balance {balance}
{servers}

frontend page
    bind :{page_port}
    timeout client 30s
    stats enable
    stats uri /
    stats refresh 2s
"""
