"""`python -m benchmarks.reference.http_peer NAME DIRECTORY`: servers of HTTP that others wrote, on a free port that is
printed. What one of them needs of files it has in the directory.

Each answers a GET with 64 bytes, as a person sets it up who wants one: uvicorn with uvloop and httptools, gunicorn with
threads that keep connections (its plain workers keep none), nginx. None writes a log of requests.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

BODY = b"x" * 63 + b"\n"
THREADS = 16

_NGINX = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "{body}"; }}
    }}
}}
"""


async def asgi(_scope: Any, _receive: Any, send: Any) -> None:
    """The application of uvicorn."""
    headers = [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def wsgi(_environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application of gunicorn."""
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(BODY)))]
    start_response("200 OK", headers)
    return [BODY]


def main(name: str, directory: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    # Connections inherit it. With a socket that they were given uvicorn and gunicorn do not set it, and a reply in two
    # parts would wait for the client's kernel.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port, number = listener.getsockname()[1], listener.fileno()
    os.set_inheritable(number, True)
    print(port, flush=True)
    this = "benchmarks.reference.http_peer"
    if name == "uvicorn":
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        command = [sys.executable, "-m", "uvicorn", "--fd", str(number), *options, f"{this}:asgi"]
    elif name == "gunicorn":
        options = ["--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "60", "--log-level", "error"]
        command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}", *options, f"{this}:wsgi"]
    else:
        path = Path(directory) / "nginx.conf"
        body = BODY.decode().replace("\n", "\\n")
        path.write_text(_NGINX.format(directory=directory, port=port, body=body))
        # It takes over what is open there, which is how it is replaced while it runs.
        os.environ["NGINX"] = f"{number};"
        command = [shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(path), "-p", directory]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
