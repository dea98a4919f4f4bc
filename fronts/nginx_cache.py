"""The configuration of nginx as a cache of HTTP before the servers; `fronts.nginx` fills it in with CACHE=on.

How long an item lives is the servers' word: max-age and stale-while-revalidate of their Cache-Control, and nothing is
kept without one. Source: nginx.org, module ngx_http_proxy.
"""

TEMPLATE = """\
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

http {{
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    # In memory: /tmp is.
    proxy_cache_path /tmp/cache levels=1:2 keys_zone=edge:8m max_size=40m inactive=60m use_temp_path=off;

    # It counts neither requests to the servers nor those of its page. Two bytes for each in a file of its own do, and
    # the files' lengths are the counts. A refresh in the background is a subrequest.
    log_format mark '.';
    log_subrequest on;
    # A subrequest has its request's variables in common: what a map has said of one it would say of the other.
    map $upstream_status $is_fetched {{
        volatile;
        default 0;
        ~200$ 1;
    }}
    # What is being updated and is served all the same is stale.
    map $upstream_cache_status $told {{
        volatile;
        default $upstream_cache_status;
        "" PASS;
        UPDATING STALE;
    }}

    upstream servers {{
        zone servers 256k;{balance}
{servers}
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {port} backlog={backlog};
        access_log /tmp/fetched mark if=$is_fetched;
        # Silence is not an error here: the load itself says for how long.
        keepalive_timeout 1d;
        keepalive_requests 1000000000;
        client_body_buffer_size 128k;
        add_header X-Cache $told always;
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            # It sends no Age: by the time at which the server made a reply its age is known all the same.
            proxy_pass_header Date;
            # The kernel asks a full accept queue again after 1 and 3 s.
            proxy_connect_timeout 4s;
            proxy_read_timeout 1d;
            proxy_send_timeout 1d;
            proxy_buffer_size 16k;
            proxy_buffers 8 16k;
            proxy_cache edge;
            proxy_cache_key $request_uri;
            # One request fetches an item that is not there; the others look every 500 ms whether it has come.
            proxy_cache_lock on;
            # Where the servers' stale-while-revalidate allows a stale reply.
            proxy_cache_background_update on;
        }}
    }}
    server {{
        listen {page_port};
        # One request for each connection: so what is left of all connections are the clients'.
        keepalive_timeout 0;
        access_log /tmp/asked mark;
        location / {{
            stub_status;
        }}
        location = /asked {{
            root /tmp;
        }}
        location = /fetched {{
            root /tmp;
        }}
    }}
}}
"""
